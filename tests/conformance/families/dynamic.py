"""Sizes that change between calls, and sizes that are unusual: bounds, one row, no rows, rank 0."""

import torch
from families.matmul import Attention, Gated
from families.quantized import DYNAMIC, ONE_STEP, pt2e, torchao
from recording import Case, Fn, lower_in_two_steps, t
from torch.export import Dim
from torchao.quantization.granularity import PerGroup

nn = torch.nn
F16 = torch.float16
FC = ("XNNFullyConnected",)


def rows(low=1, high=32, count=1):
    dim = Dim("rows", min=low, max=high)
    return tuple({0: dim} for _ in range(count))


def row_calls(width, sizes=(4, 1, 32, 7, 7)):
    """Grow and shrink, up to the bound, and twice the same."""
    return [(t(n, width),) for n in sizes]


def row_cases():
    yield Case("dynamic_linear_f32", lambda: nn.Linear(6, 4), row_calls(6), FC,
               dynamic_shapes=rows())
    yield Case("dynamic_linear_f16", lambda: nn.Linear(6, 4), row_calls(6), FC, F16,
               dynamic_shapes=rows())
    yield Case("dynamic_mlp_f32",
               lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(-1)),
               row_calls(5), FC, dynamic_shapes=rows())
    yield Case("dynamic_gated_8da4w",
               lambda: torchao(Gated(32, 64), torch.int4, PerGroup(32)),
               row_calls(32, (4, 1, 9)), FC, dynamic_shapes=rows(), **DYNAMIC)
    yield Case("dynamic_linear_qd8_qc8", lambda: nn.Linear(8, 4), row_calls(8), FC,
               dynamic_shapes=rows(), quantize=pt2e(True, True), **DYNAMIC)
    yield Case("dynamic_linear_qs8_qc8", lambda: nn.Linear(8, 4), row_calls(8), FC,
               dynamic_shapes=rows(), quantize=pt2e(True), **ONE_STEP)
    yield Case("dynamic_add_f32", lambda: Fn(lambda x, y: x + y),
               [(t(n, 3), t(n, 3)) for n in (5, 1, 32, 2)], ("XNNAdd",),
               dynamic_shapes=(rows(count=2),))
    yield Case("dynamic_cat_f32", lambda: Fn(lambda x, y: torch.cat((x, y, x + y), 1)),
               [(t(n, 3), t(n, 3)) for n in (5, 1, 32, 2)], ("XNNConcatenate3",),
               dynamic_shapes=(rows(count=2),))
    yield Case("dynamic_cat_growing_dim_f32", lambda: Fn(lambda x, y: torch.cat((x, y.abs()), 0)),
               [(t(n, 3), t(4, 3)) for n in (5, 1, 32, 2)], (),
               dynamic_shapes=(({0: Dim("rows", min=1, max=32)}, None),))
    yield Case("dynamic_broadcast_f32",
               lambda: Fn(lambda x, y: torch.tanh(x * y) - y),
               [(t(n, 4), t(1, 4)) for n in (3, 1, 16, 2)], ("XNNMultiply", "XNNSubtract"),
               dynamic_shapes=(({0: Dim("rows", min=1, max=32)}, None),))
    yield Case("dynamic_two_dims_f32", lambda: Fn(lambda x: torch.sigmoid(x) * 2),
               [(t(a, b),) for a, b in ((3, 4), (1, 1), (8, 2), (2, 9), (8, 16))],
               ("XNNSigmoid",),
               dynamic_shapes=(({0: Dim("a", min=1, max=8), 1: Dim("b", min=1, max=16)},),))


def image_cases():
    height, width = Dim("height", min=4, max=16), Dim("width", min=4, max=16)
    calls = [(t(1, 2, h, w),) for h, w in ((6, 5), (4, 4), (16, 9), (5, 16))]
    both = (({2: height, 3: width},),)
    yield Case("dynamic_conv2d_f32",
               lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU()), calls,
               ("XNNConv2d",), dynamic_shapes=({2: height, 3: width},))
    yield Case("dynamic_conv2d_qc8", lambda: nn.Conv2d(2, 3, 3, padding=1), calls, ("XNNConv2d",),
               dynamic_shapes=({2: height, 3: width},), quantize=pt2e(True), **ONE_STEP)
    yield Case("dynamic_mean_f32", lambda: Fn(lambda x: torch.mean(x, (2, 3), keepdim=True)),
               calls, ("XNNGlobalAvgPooling2d",), dynamic_shapes=both)
    yield Case("dynamic_batch_maxpool_f32", lambda: nn.MaxPool2d(2),
               [(t(n, 2, 4, 4),) for n in (2, 1, 5, 3)], ("XNNMaxPooling2d",),
               dynamic_shapes=({0: Dim("batch", min=1, max=6)},))
    yield Case("dynamic_batch_avgpool_f32", lambda: nn.AvgPool2d(2),
               [(t(n, 2, 4, 4),) for n in (2, 1, 5, 3)], ("XNNAvgPooling2d",),
               dynamic_shapes=({0: Dim("batch", min=1, max=6)},))
    yield Case("dynamic_permute_f32", lambda: Fn(lambda x: x.permute(0, 2, 1) * 3),
               [(t(1, n, 3),) for n in (4, 1, 8, 2)], ("XNNStaticTranspose",),
               dynamic_shapes=(({1: Dim("rows", min=1, max=8)},),))
    yield Case("dynamic_pad_f32", lambda: Fn(lambda x: nn.functional.pad(x, (1, 2), value=3.0)),
               [(t(n, 3),) for n in (4, 1, 8, 2)], ("XNNStaticConstantPad",),
               dynamic_shapes=(({0: Dim("rows", min=1, max=8)},),))
    yield Case("dynamic_bmm_f32", lambda: Fn(torch.bmm),
               [(t(2, n, 4), t(2, 4, 3)) for n in (5, 1, 8, 2)], ("XNNBatchMatrixMultiply",),
               dynamic_shapes=(({1: Dim("rows", min=1, max=8)}, None),))
    yield Case("dynamic_view_f32", lambda: Fn(lambda x: x.abs().view(-1, 6)),
               [(t(n, 2, 3),) for n in (4, 1, 8, 2)], (),
               dynamic_shapes=(({0: Dim("rows", min=1, max=8)},),))
    yield Case("dynamic_attention_f32", lambda: Attention(8, 2),
               [(t(1, n, 8),) for n in (4, 2, 9, 3)], FC,
               dynamic_shapes=({1: Dim("rows", min=2, max=16)},))


def bound_cases():
    """Bounds that are not what the bounds of the inputs make: of dims that have none, the sizes of
    the example are written."""
    unbounded, rows = {0: Dim.AUTO}, {0: Dim("rows", min=1, max=32)}
    yield Case("dynamic_unbounded_linear_f32", lambda: nn.Linear(6, 4), row_calls(6, (5, 2, 4)), FC,
               dynamic_shapes=(unbounded,))
    yield Case("dynamic_unbounded_cat_f32",
               lambda: Fn(lambda x, y: torch.sigmoid(torch.cat((x, y), 0))),
               [(t(a, 3), t(b, 3)) for a, b in ((3, 2), (2, 2), (1, 3))], ("XNNConcatenate2",),
               dynamic_shapes=((unbounded, rows),))
    yield Case("dynamic_unbounded_attention_f32",
               lambda: Fn(lambda q, k: torch.softmax(torch.bmm(q, k.transpose(1, 2)), -1)),
               [(t(2, a, 4), t(2, b, 4)) for a, b in ((5, 6), (3, 4))],
               ("XNNBatchMatrixMultiply", "XNNSoftmax"),
               dynamic_shapes=(({1: Dim.AUTO}, {1: Dim("keys", min=2, max=32)}),))
    two = {0: Dim("a", min=2, max=3), 1: Dim("b", min=2, max=3)}
    yield Case("dynamic_linear_two_batches_two_steps_f32", lambda: nn.Linear(4, 5, bias=False),
               [(t(a, b, 4),) for a, b in ((3, 3), (2, 3), (3, 2))], FC, dynamic_shapes=(two,),
               lower=lower_in_two_steps)


def odd_cases():
    yield Case("rank0_f32", lambda: Fn(lambda x, y: torch.tanh(x * y)), [(t(), t())],
               ("XNNMultiply",))
    yield Case("rank0_f16", lambda: Fn(lambda x: torch.abs(x)), [(t(),)], ("XNNAbs",), F16)
    yield Case("rank6_f32", lambda: Fn(lambda x, y: torch.relu(x - y)),
               [(t(1, 2, 1, 3, 2, 2), t(2, 1, 2, 1, 2, 1))], ("XNNSubtract",))
    yield Case("one_element_f32", lambda: Fn(lambda x: torch.exp(x) + x), [(t(1),)], ("XNNExp",))
    yield Case("no_rows_linear_f32", lambda: nn.Sequential(nn.Linear(3, 2), nn.ReLU()),
               [(t(n, 3),) for n in (4, 0, 3)], FC, dynamic_shapes=rows(0),
               example=(t(5, 3),))
    yield Case("no_rows_add_f32", lambda: Fn(lambda x, y: x + y),
               [(t(n, 3), t(n, 3)) for n in (4, 0, 3)], ("XNNAdd",),
               dynamic_shapes=(rows(0, count=2),), example=(t(5, 3), t(5, 3)))


def cases():
    yield from row_cases()
    yield from image_cases()
    yield from bound_cases()
    yield from odd_cases()
