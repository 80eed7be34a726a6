"""What a program as a whole may be: several methods, delegates, data files, state, odd outputs."""

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
    XnnpackDynamicallyQuantizedPartitioner,
    XnnpackFloatingPointPartitioner,
    XnnpackQuantizedPartitioner,
)
from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig
from executorch.exir.passes import MemoryPlanningPass
from families.matmul import Lstm, Mm
from families.quantized import DYNAMIC, ONE_STEP, pt2e, torchao
from recording import Case, Fn, t
from torchao.quantization.granularity import PerAxis, PerGroup

import executorch.kernels.quantized  # noqa: F401  the out variants of quantized_decomposed

nn = torch.nn
F16 = torch.float16
FC = ("XNNFullyConnected",)


class Autoencoder(nn.Module):
    """Methods that share constants: both use `shared`, and each something of its own."""

    def __init__(self):
        super().__init__()
        self.shared, self.up, self.down = nn.Linear(6, 6), nn.Linear(6, 9), nn.Linear(6, 3)

    def encode(self, x):
        return self.down(torch.relu(self.shared(x)))

    def widen(self, x):
        return self.up(torch.tanh(self.shared(x)))


def method_cases():
    calls = {"encode": [(t(2, 6),), (t(2, 6),)], "widen": [(t(2, 6),)]}
    yield Case("methods_f32", Autoencoder, calls, FC)
    yield Case("methods_data_file_f32", Autoencoder, calls, FC, data="methods")
    yield Case("data_file_conv2d_f32", lambda: nn.Conv2d(3, 4, 3), [(t(1, 3, 5, 5),)],
               ("XNNConv2d",), data="conv2d")
    yield Case("data_file_8da4w", lambda: torchao(nn.Linear(32, 6), torch.int4, PerGroup(32)),
               [(t(3, 32),)], FC, data="linear_8da4w", **DYNAMIC)
    yield Case("data_file_8da8w", lambda: torchao(nn.Linear(32, 6), torch.int8, PerAxis(0)),
               [(t(3, 32),)], FC, data="linear_8da8w", **DYNAMIC)
    yield Case("data_file_linear_qc8", lambda: nn.Linear(8, 6), [(t(3, 8),)], FC,
               data="linear_qc8", quantize=pt2e(True), **ONE_STEP)


class Shared(nn.Module):
    """One filter, used twice; and two layers whose filters have equal bytes."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
        self.b.weight.data.copy_(self.a.weight.data)

    def forward(self, x):
        return self.a(torch.relu(self.a(x))) + self.b(x)


def output_cases():
    yield Case("weight_used_twice_f32", Shared, [(t(3, 5),)], FC)
    yield Case("output_is_input_f32", lambda: Fn(lambda x, y: (x, x + y, y)), [(t(2, 3), t(2, 3))],
               ("XNNAdd",))
    yield Case("output_and_used_again_f32", lambda: Fn(lambda x: (x.abs(), x.abs() + x)),
               [(t(2, 3),)], ("XNNAbs", "XNNAdd"))
    yield Case("output_twice_f32", lambda: Fn(lambda x: (x.abs(),) * 2), [(t(2, 3),)],
               ("XNNAbs",))
    yield Case("three_outputs_f32", lambda: Fn(lambda x: (x.sin(), x.cos(), x.sin() * x.cos())),
               [(t(2, 3),)], ("XNNSin", "XNNCos"))
    yield Case("output_is_constant_f32", lambda: WithConstant(), [(t(2, 3),)], ("XNNAdd",))
    yield Case("same_input_twice_f32", lambda: Fn(lambda x, y: torch.minimum(x + y, y - x)),
               [(t(5), t(5)), (t(5), t(5))], ("XNNMinimum",))
    yield Case("bool_output_f32", lambda: Fn(lambda x: x.abs() > 1), [(t(3, 4),)], ("XNNAbs",))
    yield Case("where_f32", lambda: Fn(lambda x: torch.where(x.abs() > 1, x.abs(), -x)),
               [(t(3, 4),)], ("XNNAbs", "XNNNegate"))
    yield Case("int64_input_f32", lambda: Fn(lambda x, i: torch.relu(x)[i] + 1),
               [(t(5, 3), t(4, dtype=torch.int64, low=0, high=4))], ("XNNClamp",))
    yield Case("int_scalar_input_f32", lambda: Fn(lambda x, n: x.abs() * n), [(t(2, 3), 2)],
               ("XNNAbs",))
    yield Case("index_select_f32",
               lambda: Fn(lambda x, i: torch.index_select(x + x, 1, i)),
               [(t(2, 5), t(3, dtype=torch.int64, low=0, high=4))], ("XNNAdd",))


class WithConstant(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(2, 3))

    def forward(self, x):
        return x + self.weight, self.weight


def delegate_cases():
    yield Case("two_delegates_f32",
               lambda: Fn(lambda x: torch.cumsum(x.abs() + x, 1).neg() * 2), [(t(3, 4),)],
               ("XNNAbs", "XNNNegate"))
    yield Case("many_delegates_f32",
               lambda: nn.Sequential(nn.Linear(4, 6), nn.ELU(), nn.Linear(6, 6), nn.ELU(),
                                     nn.Linear(6, 6), nn.Softplus(), nn.Linear(6, 2)),
               [(t(3, 4),)], FC)
    per_op = lambda: XnnpackPartitioner(per_op_mode=True)
    yield Case("delegate_per_node_f32",
               lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.Sigmoid(),
                                     nn.Softmax(-1)), [(t(3, 4),)], FC, partitioner=per_op)
    yield Case("delegate_per_node_image_f32",
               lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.Hardswish(), nn.MaxPool2d(2),
                                     nn.Conv2d(3, 2, 1)), [(t(1, 2, 5, 5),)], ("XNNConv2d",),
               partitioner=per_op)
    yield Case("delegate_per_node_qd8", lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)),
               [(t(3, 8),)], FC, quantize=pt2e(True, True), partitioner=per_op, **DYNAMIC)
    yield Case("no_dim_order_ops_f32",
               lambda: Fn(lambda x: (x * 2).to(torch.float64)),
               [(t(1, 2, 3, 2),)], (), outside=True,
               edge_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True))
    yield Case("nothing_delegated_f32", lambda: nn.Sequential(nn.ELU(), nn.Softplus()),
               [(t(2, 3),)], outside=True)


# Filters that a linear layer is given from outside its delegate.
def unfixed():
    return XnnpackPartitioner(force_non_static_weights_for_f32_linear=True)


def filter_cases():
    for bias in (True, False):
        name = "linear" if bias else "linear_no_bias"
        for dtype, label in ((torch.float32, "f32"), (F16, "f16")):
            yield Case(f"filter_is_input_{name}_{label}", lambda b=bias: nn.Linear(6, 5, bias=b),
                       [(t(3, 6),)], FC, dtype, partitioner=unfixed)
    yield Case("filter_is_input_relu_f32",
               lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3, bias=False)),
               [(t(2, 3, 6),)], FC, partitioner=unfixed)
    yield Case("filter_is_input_mm_f32", lambda: Mm(False), [(t(3, 6),)], FC, partitioner=unfixed)
    yield Case("filter_is_input_addmm_f32", lambda: Mm(True), [(t(3, 6),)], FC,
               partitioner=unfixed)
    yield Case("filter_is_input_lstm_f32", Lstm, [(t(1, 2, 4),)], FC, partitioner=unfixed)
    yield Case("filter_changes_f32", lambda: Fn(nn.functional.linear),
               [(t(3, 6), t(4, 6)), (t(3, 6), t(4, 6))], FC, partitioner=unfixed)
    yield Case("filter_and_bias_change_f32", lambda: Fn(nn.functional.linear),
               [(t(3, 6), t(4, 6), t(4)), (t(3, 6), t(4, 6), t(4))], FC, partitioner=unfixed)


NO_KERNELS = "the runtime in ExecuTorch's Python package has no quantized operators"


def precision_cases():
    mlp = lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    image = lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.Conv2d(3, 2, 1))
    yield Case("only_float_of_qs8_linear", mlp, [(t(3, 8),)], FC, quantize=pt2e(True),
               partitioner=XnnpackFloatingPointPartitioner, eager_because=NO_KERNELS, atol=0.01)
    yield Case("only_float_of_qs8_conv2d", image, [(t(1, 2, 4, 4),)], ("XNNClamp",),
               quantize=pt2e(), partitioner=XnnpackFloatingPointPartitioner,
               eager_because=NO_KERNELS, atol=0.01)
    yield Case("only_static_of_qs8_conv2d", image, [(t(1, 2, 4, 4),)], ("XNNConv2d",),
               quantize=pt2e(True), partitioner=XnnpackQuantizedPartitioner, **ONE_STEP)
    yield Case("only_dynamic_of_qd8_linear", mlp, [(t(3, 8),)], FC, quantize=pt2e(True, True),
               partitioner=XnnpackDynamicallyQuantizedPartitioner, **DYNAMIC)
    yield Case("dynamic_linear_per_tensor_outside", lambda: nn.Linear(8, 5), [(t(3, 8),)], (),
               quantize=pt2e(False, True), outside=True, eager_because=NO_KERNELS, **DYNAMIC)
    yield Case("int8_between_delegates", lambda: Fn(lambda x: torch.cumsum(x + x, 1) + x),
               [(t(3, 4),)], ("XNNAdd",), quantize=pt2e(), **ONE_STEP)


def layout_cases():
    """The same module in files that are laid out in other ways."""
    mixed = lambda: nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 4))
    unplanned = MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    configurations = {
        "payload_inline": {"extract_delegate_segments": False},
        "io_unplanned": {"memory_planning_pass": unplanned},
        "input_unplanned": {"memory_planning_pass": MemoryPlanningPass(alloc_graph_input=False)},
        "segments_aligned": {"segment_alignment": 4096},
        "constants_external": {"external_constants": True},
    }
    for name, options in configurations.items():
        yield Case(f"file_{name}_f32", mixed, [(t(3, 6),), (t(3, 6),)], FC,
                   backend_config=ExecutorchBackendConfig(**options))


class Counter(nn.Module):
    """State: a sum over the calls."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(2, 3))

    def forward(self, x):
        self.total.add_(x.abs())
        return self.total * 2


class Cache(nn.Module):
    """State that is written at a position, as a KV cache is."""

    def __init__(self):
        super().__init__()
        self.key = nn.Linear(4, 4)
        self.register_buffer("keys", torch.zeros(1, 6, 4))

    def forward(self, x, position):
        self.keys[:, position] = self.key(x)
        return torch.softmax(torch.bmm(self.keys, x.transpose(1, 2)).squeeze(-1), -1)


class Branch(nn.Module):
    """Control flow: a jump on a tensor."""

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x * 2 + 1, (x,))


def state_cases():
    yield Case("state_f32", Counter, [(t(2, 3),)] * 3, ("XNNAbs",))
    yield Case("state_at_position_f32", Cache,
               [(t(1, 1, 4), torch.tensor([i])) for i in (0, 1, 5)], FC)
    yield Case("branch_f32", Branch, [(t(3, low=1, high=2),), (t(3, low=-2, high=-1),), (t(3),)],
               outside=True)


def cases():
    yield from method_cases()
    yield from output_cases()
    yield from delegate_cases()
    yield from filter_cases()
    yield from precision_cases()
    yield from layout_cases()
    yield from state_cases()
