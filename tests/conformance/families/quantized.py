"""Quantized programs: static and dynamic, by the two flows there are (PT2E and torchao)."""

import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from recording import Case, Fn, t
from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
from torchao.quantization.granularity import PerAxis, PerGroup
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.utils import unwrap_tensor_subclass

nn = torch.nn
F = nn.functional
F16 = torch.float16
FC = ("XNNFullyConnected",)
# Another build of XNNPACK may round an activation to the other of two neighbours.
ONE_STEP = {"steps": 1.0, "rtol": 0.0, "eager_slack": 2.0}


def pt2e(per_channel=False, dynamic=False, weight_bits=8):
    """Quantizes an exported module with XNNPACKQuantizer."""

    def quantize(exported, example):
        bits = {} if weight_bits == 8 else {"weight_qmin": -8, "weight_qmax": 7}
        config = get_symmetric_quantization_config(is_per_channel=per_channel, is_dynamic=dynamic,
                                                   **bits)
        prepared = prepare_pt2e(exported, XNNPACKQuantizer().set_global(config))
        for _ in range(3):
            prepared(*[x.clone() for x in example])
        return convert_pt2e(prepared)

    return quantize


def torchao(module, weight_dtype, granularity):
    config = Int8DynamicActivationIntxWeightConfig(weight_dtype=weight_dtype,
                                                   weight_granularity=granularity)
    quantize_(module, config, filter_fn=lambda m, name: isinstance(m, nn.Linear))
    return unwrap_tensor_subclass(module)


class Twice(nn.Module):
    """`function` of two inputs, inside quantized neighbours: the input is added to itself first."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x + x)


def static_elementwise_cases():
    two = [(t(2, 3, 5), t(2, 3, 5))]
    for name, function, node in (("add", torch.add, "XNNAdd"), ("mul", torch.mul, "XNNMultiply")):
        yield Case(f"{name}_qs8", lambda f=function: Fn(f), two, (node,), quantize=pt2e(),
                   **ONE_STEP)
        yield Case(f"{name}_broadcast_qs8", lambda f=function: Fn(f), [(t(2, 3, 5), t(3, 1))],
                   (node,), quantize=pt2e(), **ONE_STEP)
        yield Case(f"{name}_relu_qs8", lambda f=function: Fn(lambda x, y: torch.relu(f(x, y))), two,
                   (node,), quantize=pt2e(), **ONE_STEP)
    yield Case("add_constant_qs8", lambda: AddConstant(), [(t(2, 3, 4),)], ("XNNAdd",),
               quantize=pt2e(), **ONE_STEP)
    yield Case("add_scalar_qs8", lambda: Fn(lambda x: x + 1.5), [(t(2, 3),)], ("XNNAdd",),
               quantize=pt2e(), **ONE_STEP)
    chain = {
        "relu": lambda x: torch.relu(x) + x,
        "hardtanh": lambda x: F.hardtanh(x, -1, 1) + x,
        "clamp": lambda x: torch.clamp(x, -1, 2) + x,
        "permute": lambda x: x.permute(0, 2, 1) * x.permute(0, 2, 1),
        "view": lambda x: x.view(6, 4) + x.view(6, 4),
        "flatten": lambda x: torch.flatten(x, 1) + torch.flatten(x, 1),
        "slice": lambda x: x[:, 1:] + x[:, 1:],
        "cat": lambda x: torch.cat((x, x + x), 1) + 1,
        "unsqueeze": lambda x: x.unsqueeze(-1) + x.unsqueeze(-1),
        "sigmoid": lambda x: torch.sigmoid(x) + x,
        "sub": lambda x: (x - 1.5) + x,
    }
    for name, function in chain.items():
        yield Case(f"{name}_between_adds_qs8", lambda f=function: Twice(f),
                   [(t(2, 3, 4, low=-0.7, high=0.7),)], ("XNNAdd",), quantize=pt2e(), **ONE_STEP)
    for count in (2, 3, 4, 5, 6):
        yield Case(f"cat{count}_qs8", lambda: Fn(lambda *x: torch.cat(x, 1)),
                   [tuple(t(2, n + 1) for n in range(count))],
                   (f"XNNConcatenate{min(count, 5)}",), quantize=pt2e(), **ONE_STEP)


def quantized(x, scale=0.05, zero_point=3):
    return torch.ops.quantized_decomposed.quantize_per_tensor(x, scale, zero_point, -128, 127,
                                                              torch.int8)


def floats(x, scale=0.05, zero_point=3):
    return torch.ops.quantized_decomposed.dequantize_per_tensor(x, scale, zero_point, -128, 127,
                                                                torch.int8)


def int8_cases():
    """int8 tensors enter and leave the delegate."""
    x = t(3, 7, dtype=torch.int8, low=-90, high=90)
    int8 = {"atol": 0.0, "rtol": 0.0, "eager_slack": 0.0}
    yield Case("int8_output", lambda: Fn(quantized), [(t(3, 7),)], ("XNNConvert",), **int8)
    yield Case("int8_input", lambda: Fn(floats), [(x,)], ("XNNConvert",), **int8)
    yield Case("int8_add", lambda: Fn(lambda x, y: quantized(floats(x) + floats(y))), [(x, x)],
               ("XNNAdd",), **int8)
    yield Case("int8_sub", lambda: Fn(lambda x, y: quantized(floats(x) - floats(y))), [(x, x)],
               ("XNNSubtract",), **int8)
    yield Case("int8_sub_broadcast",
               lambda: Fn(lambda x, y: quantized(torch.relu(floats(x) - floats(y)))),
               [(x, t(1, 7, dtype=torch.int8, low=-90, high=90))], ("XNNSubtract",), **int8)
    yield Case("int8_permute", lambda: Fn(lambda x: quantized(floats(x).permute(1, 0))), [(x,)],
               ("XNNStaticTranspose",), **int8)
    yield Case("int8_add_float_output",
               lambda: Fn(lambda x, y: floats(quantized(floats(x) + floats(y))) * 0.5), [(x, x)],
               ("XNNAdd", "XNNMultiply"), **int8)


class AddConstant(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("constant", torch.rand(3, 1))

    def forward(self, x):
        return x + self.constant


def static_image_cases():
    image = t(1, 3, 6, 6)
    layers = {
        "conv2d": lambda: nn.Conv2d(3, 4, 3),
        "conv2d_no_bias": lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
        "conv2d_relu": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()),
        "conv2d_hardtanh": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardtanh()),
        "conv2d_depthwise": lambda: nn.Conv2d(3, 3, 3, groups=3, padding=1),
        "conv2d_groups": lambda: nn.Conv2d(3, 6, 2, groups=3),
        "conv2d_padded": lambda: nn.Sequential(nn.ZeroPad2d((1, 0, 0, 1)), nn.Conv2d(3, 4, 3)),
        "conv_transpose2d": lambda: nn.ConvTranspose2d(3, 4, 3, stride=2),
        "conv2d_maxpool": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        "conv2d_avgpool": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)),
        "conv2d_twice": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)),
    }
    for name, module in layers.items():
        for per_channel in (False, True):
            yield Case(f"{name}_{'qc8' if per_channel else 'qs8'}", module, [(image,)], (),
                       quantize=pt2e(per_channel), **ONE_STEP)
    yield Case("conv1d_qs8", lambda: nn.Conv1d(2, 4, 3), [(t(1, 2, 7),)], (), quantize=pt2e(),
               **ONE_STEP)
    yield Case("conv1d_qc8", lambda: nn.Conv1d(2, 4, 3), [(t(1, 2, 7),)], (), quantize=pt2e(True),
               **ONE_STEP)
    yield Case("conv2d_channels_last_qc8", lambda: nn.Conv2d(3, 4, 3),
               [(t(1, 3, 5, 5, channels_last=True),)], ("XNNConv2d",), quantize=pt2e(True),
               **ONE_STEP)
    yield Case("mean_hw_qs8", lambda: Twice(lambda x: nn.functional.adaptive_avg_pool2d(x, 1)),
               [(image,)], (), quantize=pt2e(), **ONE_STEP)
    yield Case("maxpool_qs8", lambda: Twice(nn.MaxPool2d(2)), [(image,)], (), quantize=pt2e(),
               **ONE_STEP)
    yield Case("residual_qc8", lambda: Residual(), [(t(1, 3, 5, 5),)], ("XNNConv2d", "XNNAdd"),
               quantize=pt2e(True), **ONE_STEP)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return torch.relu(x + self.second(torch.relu(self.first(x))))


def static_linear_cases():
    for per_channel, label in ((False, "qs8"), (True, "qc8")):
        for bias in (True, False):
            name = "linear" if bias else "linear_no_bias"
            yield Case(f"{name}_qs8_{label}", lambda b=bias: nn.Linear(7, 5, bias=b),
                       [(t(3, 7),)], FC, quantize=pt2e(per_channel), **ONE_STEP)
        yield Case(f"linear_relu_qs8_{label}",
                   lambda: nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 2)),
                   [(t(2, 3, 7),)], FC, quantize=pt2e(per_channel), **ONE_STEP)
        yield Case(f"linear_qs8_{label}_4bit", lambda: nn.Linear(8, 6), [(t(3, 8),)], FC,
                   quantize=pt2e(per_channel, weight_bits=4), **ONE_STEP)


# Dynamic quantization rounds activations by a scale computed at run time.
DYNAMIC = {"atol": 2e-3, "rtol": 1e-3, "eager_slack": 10.0}
DYNAMIC_F16 = {"atol": 1e-2, "rtol": 1e-2, "eager_slack": 4.0}


def dynamic_cases():
    modules = {
        "linear": (lambda: nn.Linear(8, 5), t(3, 8)),
        "linear_no_bias": (lambda: nn.Linear(16, 6, bias=False), t(2, 16)),
        "linear_rank3": (lambda: nn.Linear(8, 5), t(2, 3, 8)),
        "linear_relu": (lambda: nn.Sequential(nn.Linear(8, 5), nn.ReLU()), t(3, 8)),
        "linear_twice": (lambda: nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 4)), t(3, 8)),
        "linear_shared_input": (lambda: SharedInput(), t(3, 8)),
        "conv2d": (lambda: nn.Conv2d(3, 4, 3), t(1, 3, 5, 5)),
        "conv2d_batch": (lambda: nn.Conv2d(2, 4, 2, stride=2, bias=False), t(2, 2, 4, 4)),
        "conv_transpose2d": (lambda: nn.ConvTranspose2d(3, 4, 3), t(1, 3, 4, 4)),
    }
    for name, (module, x) in modules.items():
        yield Case(f"{name}_qd8_qc8", module, [(x,)], (),
                   quantize=pt2e(per_channel=True, dynamic=True), **DYNAMIC)
    yield Case("linear_qd8_qc4", lambda: nn.Linear(8, 5), [(t(3, 8),)], FC,
               quantize=pt2e(per_channel=True, dynamic=True, weight_bits=4), **DYNAMIC)
    yield Case("linear_f16_qd8_qc8", lambda: nn.Linear(8, 5), [(t(3, 8),)], FC, F16,
               quantize=pt2e(per_channel=True, dynamic=True), **DYNAMIC_F16)
    yield Case("linear_f16_qd8_qc4", lambda: nn.Linear(8, 5), [(t(3, 8),)], FC, F16,
               quantize=pt2e(per_channel=True, dynamic=True, weight_bits=4), **DYNAMIC_F16)
    yield Case("linear_qd8_one_row", lambda: nn.Linear(8, 5), [(t(1, 8),)], FC,
               quantize=pt2e(per_channel=True, dynamic=True), **DYNAMIC)


class SharedInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 4), nn.Linear(8, 3, bias=False)

    def forward(self, x):
        return self.a(x), self.b(x)


def torchao_cases():
    kinds = {
        "8da4w_group32": (torch.int4, PerGroup(32)),
        "8da4w_group64": (torch.int4, PerGroup(64)),
        "8da4w_channel": (torch.int4, PerAxis(0)),
        "8da8w": (torch.int8, PerAxis(0)),
    }
    for kind, arguments in kinds.items():
        for bias in (True, False):
            yield Case(f"linear{'' if bias else '_no_bias'}_{kind}",
                       lambda b=bias, a=arguments: torchao(nn.Linear(64, 9, bias=b), *a),
                       [(t(3, 64),)], FC, **DYNAMIC)
        if kind == "8da8w":  # the exporter writes its scales as f16, which no runtime can read
            continue
        yield Case(f"linear_f16_{kind}",
                   lambda a=arguments: torchao(nn.Linear(64, 9).to(F16), *a), [(t(3, 64),)], FC,
                   F16, **DYNAMIC_F16)
    yield Case("linear_rank3_8da4w_group32",
               lambda: torchao(nn.Linear(32, 6, bias=False), torch.int4, PerGroup(32)),
               [(t(2, 3, 32),)], FC, **DYNAMIC)
    yield Case("linear_8da4w_group128",
               lambda: torchao(nn.Linear(256, 3, bias=False), torch.int4, PerGroup(128)),
               [(t(2, 256),)], FC, **DYNAMIC)
    yield Case("mlp_8da4w_group32",
               lambda: torchao(nn.Sequential(nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 5)),
                               torch.int4, PerGroup(32)), [(t(4, 32),)], FC, **DYNAMIC)


def cases():
    yield from static_elementwise_cases()
    yield from static_image_cases()
    yield from static_linear_cases()
    yield from int8_cases()
    yield from dynamic_cases()
    yield from torchao_cases()
