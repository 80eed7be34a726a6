"""bfloat16 in delegates, which exporters put there when they are asked to: `enable_bf16`."""

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from families.quantized import torchao
from recording import Case, Fn, t
from torchao.quantization.granularity import PerAxis, PerGroup

nn = torch.nn
F = nn.functional
BF16 = torch.bfloat16
FC = ("XNNFullyConnected",)


def delegated(name, module, inputs, nodes):
    return Case(f"{name}_bf16", module, [inputs], nodes, BF16,
                partitioner=lambda: XnnpackPartitioner(enable_bf16=True))


def function(name, compute, inputs, *nodes):
    return delegated(name, lambda: Fn(compute), inputs, nodes)


def move_cases():
    yield function("cat", lambda x, y: torch.cat((x, y, x), 1), (t(2, 3), t(2, 1)),
                   "XNNConcatenate3")
    yield function("permute", lambda x: x.permute(2, 0, 1), (t(2, 3, 4),), "XNNStaticTranspose")
    yield function("slice", lambda x: x[:, 1:3], (t(2, 4),), "XNNStaticSlice")
    yield function("pad", lambda x: F.pad(x, (1, 2), value=0.1), (t(2, 3),),
                   "XNNStaticConstantPad")
    yield function("view", lambda x: x.view(3, 2).abs(), (t(2, 3),), "XNNStaticReshape")


def elementwise_cases():
    two = (t(2, 3, 4), t(1, 3, 1))
    yield function("add_relu", lambda x, y: torch.relu(x + y), two, "XNNAdd")
    yield function("sub", lambda x, y: x - y, two, "XNNSubtract")
    yield function("maximum", torch.maximum, two, "XNNMaximum")
    yield function("sigmoid", torch.sigmoid, (t(2, 9),), "XNNSigmoid")
    yield function("gelu", F.gelu, (t(2, 9),), "XNNGelu")
    yield function("clamp", lambda x: torch.clamp(x, -0.5, 1), (t(2, 9),), "XNNClamp")
    yield delegated("prelu", lambda: nn.PReLU(3), (t(1, 3, 2, 2),),
                    ("XNNPReLU", "XNNStaticTranspose"))


def linear_cases():
    for granularity, name in ((PerGroup(32), "group32"), (PerAxis(0), "channel")):
        for bias in (True, False):
            yield delegated(
                f"linear_8da4w_{name}{'' if bias else '_no_bias'}",
                lambda b=bias, g=granularity: torchao(nn.Linear(64, 5, bias=b).to(BF16),
                                                      torch.int4, g),
                (t(3, 64),), ("XNNConvert", "XNNFullyConnected"))
    yield delegated("linear_relu", lambda: nn.Sequential(nn.Linear(8, 5), nn.ReLU()), (t(3, 8),),
                    FC)


def cases():
    yield from move_cases()
    yield from elementwise_cases()
    yield from linear_cases()
