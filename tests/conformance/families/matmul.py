"""Linear layers, matrix products, attention and recurrent layers in floating point."""

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from recording import Case, Fn, lower_in_two_steps, t

nn = torch.nn
F = nn.functional
F16, BF16 = torch.float16, torch.bfloat16
FC = ("XNNFullyConnected",)


def linear_cases():
    yield Case("linear_f32", lambda: nn.Linear(7, 5), [(t(3, 7),)], FC)
    yield Case("linear_no_bias_f32", lambda: nn.Linear(7, 5, bias=False), [(t(3, 7),)], FC)
    yield Case("linear_rank1_f32", lambda: nn.Linear(7, 5), [(t(7),)], FC)
    yield Case("linear_rank3_f32", lambda: nn.Linear(6, 9), [(t(2, 3, 6),)], FC)
    yield Case("linear_rank5_f32", lambda: nn.Linear(4, 3), [(t(1, 2, 1, 2, 4),)], FC)
    yield Case("linear_one_f32", lambda: nn.Linear(1, 1), [(t(1, 1),)], FC)
    yield Case("linear_wide_f32", lambda: nn.Linear(70, 33), [(t(9, 70),)], FC)
    yield Case("linear_relu_f32", lambda: nn.Sequential(nn.Linear(7, 5), nn.ReLU()), [(t(3, 7),)],
               FC)
    yield Case("linear_hardtanh_f32",
               lambda: nn.Sequential(nn.Linear(7, 5, bias=False), nn.Hardtanh(-0.5, 0.25)),
               [(t(3, 7),)], FC)
    for name, bias in (("linear", True), ("linear_no_bias", False)):
        yield Case(f"{name}_f16", lambda b=bias: nn.Linear(7, 5, bias=b), [(t(3, 7),)], FC, F16)
        yield Case(f"{name}_bf16", lambda b=bias: nn.Linear(8, 5, bias=b), [(t(3, 8),)], FC, BF16,
                   partitioner=lambda: XnnpackPartitioner(enable_bf16=True))
    yield Case("linear_rank3_f16", lambda: nn.Linear(16, 9), [(t(2, 3, 16),)], FC, F16)
    yield Case("linear_relu_f16", lambda: nn.Sequential(nn.Linear(7, 5), nn.ReLU()), [(t(3, 7),)],
               FC, F16)
    yield Case("linear_bf16_outside", lambda: nn.Linear(8, 5), [(t(3, 8),)], (), BF16,
               outside=True)


def parameter(*sizes):
    return nn.Parameter(torch.rand(sizes) - 0.5)


class Mm(nn.Module):
    """A product with a constant that is not transposed; with a `bias` of such sizes, an addmm."""

    def __init__(self, *bias):
        super().__init__()
        self.weight = parameter(6, 4)
        self.bias = parameter(*bias) if bias else None

    def forward(self, x):
        if self.bias is None:
            return torch.mm(x, self.weight)
        return torch.addmm(self.bias, x, self.weight)


def product_cases():
    yield Case("mm_f32", lambda: Mm(), [(t(3, 6),)], FC)
    yield Case("addmm_f32", lambda: Mm(4), [(t(3, 6),)], FC)
    yield Case("mm_f16", lambda: Mm(), [(t(3, 6),)], FC, F16)
    yield Case("addmm_row_bias_f32", lambda: Mm(1, 4), [(t(3, 6),)], FC)
    yield Case("addmm_row_bias_f16", lambda: Mm(1, 4), [(t(3, 6),)], FC, F16)
    yield Case("addmm_row_bias_bf16", lambda: Mm(1, 4), [(t(3, 6),)], FC, BF16,
               partitioner=lambda: XnnpackPartitioner(enable_bf16=True))
    yield Case("addmm_row_bias_two_steps_f32", lambda: Mm(1, 4), [(t(3, 6),)], FC,
               lower=lower_in_two_steps)
    yield Case("linear_part_of_storage_f32", lambda: PartOfStorage(), [(t(3, 6),)], FC)
    yield Case("mm_two_inputs_f32", lambda: Fn(lambda x, y: torch.mm(x.abs(), y)),
               [(t(3, 4), t(4, 2))], ("XNNAbs",))
    yield Case("addmm_three_inputs_f32", lambda: Fn(lambda b, x, y: torch.addmm(b, x.abs(), y)),
               [(t(2), t(3, 4), t(4, 2))], ("XNNAbs",))
    yield Case("bmm_f32", lambda: Fn(torch.bmm), [(t(2, 3, 5), t(2, 5, 4))],
               ("XNNBatchMatrixMultiply",))
    yield Case("bmm_f16", lambda: Fn(torch.bmm), [(t(3, 2, 5), t(3, 5, 3))],
               ("XNNBatchMatrixMultiply",), F16)
    yield Case("bmm_one_f32", lambda: Fn(torch.bmm), [(t(1, 1, 17), t(1, 17, 1))],
               ("XNNBatchMatrixMultiply",))
    yield Case("matmul_rank4_f32", lambda: Fn(torch.matmul), [(t(1, 2, 3, 5), t(1, 2, 5, 2))],
               ("XNNBatchMatrixMultiply",))
    yield Case("matmul_broadcast_f32", lambda: Fn(torch.matmul), [(t(2, 3, 5), t(5, 2))],
               outside=True)
    yield Case("bmm_constant_f32", lambda: Constant(torch.bmm, 2, 5, 3), [(t(2, 3, 5),)],
               ("XNNBatchMatrixMultiply",))
    yield Case("bmm_transposed_f32",
               lambda: Fn(lambda x, y: torch.bmm(x, y.transpose(1, 2)) + 1),
               [(t(2, 3, 5), t(2, 4, 5))], ("XNNBatchMatrixMultiply", "XNNStaticTranspose"))


class PartOfStorage(nn.Module):
    """A linear layer whose weight and bias are the first parts of larger tensors."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.rand(9, 6)[:4])
        self.register_buffer("bias", torch.rand(9)[:4])

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Constant(nn.Module):
    def __init__(self, function, *sizes):
        super().__init__()
        self.function, self.constant = function, parameter(*sizes)

    def forward(self, x):
        return self.function(x, self.constant)


class Attention(nn.Module):
    def __init__(self, width, heads, mask=False):
        super().__init__()
        self.heads, self.mask = heads, mask
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x):
        batch, rows, width = x.shape
        split = lambda y: y.view(batch, rows, self.heads, width // self.heads).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(self.q(x)), split(self.k(x)), split(self.v(x)),
                                           is_causal=self.mask)
        return self.o(y.transpose(1, 2).reshape(batch, rows, width))


class Transformer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gated(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width)

    def forward(self, x):
        return x + self.down(F.silu(self.gate(x)) * self.up(x))


class Lstm(nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True, **kwargs)

    def forward(self, x):
        return self.lstm(x)[0]


def block_cases():
    yield Case("sdpa_f32", lambda: Fn(F.scaled_dot_product_attention),
               [(t(1, 2, 3, 4), t(1, 2, 5, 4), t(1, 2, 5, 4))], ())
    yield Case("sdpa_mask_f32", lambda: Fn(lambda q, k, v, m: F.scaled_dot_product_attention(
        q, k, v, attn_mask=m)), [(t(1, 2, 3, 4), t(1, 2, 5, 4), t(1, 2, 5, 4), t(1, 1, 3, 5))], ())
    yield Case("sdpa_f16", lambda: Fn(F.scaled_dot_product_attention),
               [(t(1, 2, 3, 4), t(1, 2, 5, 4), t(1, 2, 5, 4))], (), F16, atol=4e-3, rtol=8e-3)
    yield Case("attention_f32", lambda: Attention(8, 2), [(t(1, 3, 8),)],
               ("XNNFullyConnected", "XNNBatchMatrixMultiply", "XNNSoftmax"))
    yield Case("attention_causal_f32", lambda: Attention(8, 2, True), [(t(1, 3, 8),)], FC)
    yield Case("transformer_f32", lambda: Transformer(8, 2), [(t(1, 4, 8),)],
               ("XNNFullyConnected", "XNNGelu"))
    yield Case("gated_mlp_f32", lambda: Gated(6, 9), [(t(2, 3, 6),)], FC)
    yield Case("gated_mlp_f16", lambda: Gated(6, 9), [(t(2, 3, 6),)], FC, F16)
    yield Case("mlp_f32",
               lambda: nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 9), nn.LeakyReLU(),
                                     nn.Linear(9, 2)), [(t(4, 5),)], FC)
    yield Case("lstm_f32", lambda: Lstm(), [(t(1, 3, 4),)], FC)
    yield Case("lstm_bidirectional_f32", lambda: Lstm(bidirectional=True), [(t(2, 3, 4),)], FC)
    yield Case("lstm_two_layers_f32", lambda: Lstm(num_layers=2, bias=False), [(t(1, 2, 4),)], FC)
    yield Case("lstm_f16", lambda: Lstm(), [(t(1, 3, 4),)], FC, F16)
    yield Case("lstm_cell_f32", lambda: nn.LSTMCell(4, 5), [(t(2, 4),)], FC)
    yield Case("gru_f32", lambda: Gru(), [(t(1, 3, 4),)], FC)
    yield Case("embedding_linear_f32",
               lambda: nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 3)),
               [(t(2, 4, dtype=torch.int64, low=0, high=9),)], FC)


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 5, batch_first=True)

    def forward(self, x):
        return self.gru(x)[0]


def cases():
    yield from linear_cases()
    yield from product_cases()
    yield from block_cases()
