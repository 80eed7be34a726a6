"""Nodes that work element by element: one input, or two with broadcasting."""

import torch
from recording import Case, Fn, t

F = torch.nn.functional
NAMES = {torch.float32: "f32", torch.float16: "f16"}

# name: (function, node type, range of the input, element types)
BOTH = (torch.float32, torch.float16)
UNARY = {
    "abs": (torch.abs, "XNNAbs", (-2, 2), BOTH),
    "ceil": (torch.ceil, "XNNCeiling", (-4, 4), BOTH),
    "clamp": (lambda x: torch.clamp(x, -0.5, 1.25), "XNNClamp", (-2, 2), BOTH),
    "clamp_min": (lambda x: torch.clamp(x, min=-0.5), "XNNClamp", (-2, 2), BOTH),
    "clamp_max": (lambda x: torch.clamp(x, max=0.5), "XNNClamp", (-2, 2), BOTH),
    "cos": (torch.cos, "XNNCos", (-3, 3), BOTH),
    "exp": (torch.exp, "XNNExp", (-4, 3), BOTH),
    "floor": (torch.floor, "XNNFloor", (-4, 4), BOTH),
    "gelu": (F.gelu, "XNNGelu", (-4, 4), (torch.float32,)),
    "hardswish": (F.hardswish, "XNNHardswish", (-5, 5), BOTH),
    "hardtanh": (lambda x: F.hardtanh(x, -1.5, 0.75), "XNNClamp", (-2, 2), BOTH),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.125), "XNNLeakyReLU", (-2, 2), BOTH),
    "log": (torch.log, "XNNLog", (0.05, 9), BOTH),
    "neg": (torch.neg, "XNNNegate", (-2, 2), BOTH),
    "relu": (torch.relu, "XNNClamp", (-2, 2), BOTH),
    "relu6": (F.relu6, "XNNClamp", (-4, 9), BOTH),
    "rsqrt": (torch.rsqrt, "XNNReciprocalSquareRoot", (0.1, 9), BOTH),
    "sigmoid": (torch.sigmoid, "XNNSigmoid", (-6, 6), BOTH),
    "silu": (F.silu, "XNNSigmoid", (-6, 6), BOTH),
    "sin": (torch.sin, "XNNSin", (-3, 3), BOTH),
    "sqrt": (torch.sqrt, "XNNSquareRoot", (0, 9), BOTH),
    "square": (lambda x: torch.pow(x, 2), "XNNSquare", (-3, 3), BOTH),
    "tanh": (torch.tanh, "XNNTanh", (-4, 4), BOTH),
}

# name: (function, node type, range of the second input)
BINARY = {
    "add": (torch.add, "XNNAdd", (-2, 2)),
    "div": (torch.div, "XNNDiv", (0.25, 3)),
    "maximum": (torch.maximum, "XNNMaximum", (-2, 2)),
    "minimum": (torch.minimum, "XNNMinimum", (-2, 2)),
    "mul": (torch.mul, "XNNMultiply", (-2, 2)),
    "sub": (torch.sub, "XNNSubtract", (-2, 2)),
}

# Pairs of sizes that broadcast, by rank; each operator gets one of them.
BROADCASTS = [
    ((2, 1, 4), (3, 1)),
    ((5,), (2, 3, 5)),
    ((1, 3, 1, 2), (2, 1, 4, 1)),
    ((), (3, 4)),
    ((2, 1, 3, 1, 2), (1, 2, 1, 3, 1)),
    ((1, 2, 1, 2, 1, 3), (2, 1, 2, 1, 2, 1)),
]


def unary_cases():
    for name, (function, node, (low, high), dtypes) in UNARY.items():
        for dtype in dtypes:
            # Odd sizes, and more than one vector of elements.
            yield Case(f"{name}_{NAMES[dtype]}", lambda f=function: Fn(f),
                       [(t(3, 1, 21, low=low, high=high),)], (node,), dtype)


def binary_cases():
    for i, (name, (function, node, (low, high))) in enumerate(BINARY.items()):
        sizes_a, sizes_b = BROADCASTS[i]
        for dtype in BOTH:
            suffix = NAMES[dtype]
            second = lambda *sizes: t(*sizes, low=low, high=high)
            yield Case(f"{name}_{suffix}", lambda f=function: Fn(f),
                       [(t(2, 3, 7), second(2, 3, 7))], (node,), dtype)
            yield Case(f"{name}_broadcast_{suffix}", lambda f=function: Fn(f),
                       [(t(*sizes_a), second(*sizes_b))], (node,), dtype)
        yield Case(f"{name}_relu_f32", lambda f=function: Fn(lambda x, y: torch.relu(f(x, y))),
                   [(t(4, 5), second(4, 5))], (node,))


class WithConstant(torch.nn.Module):
    def __init__(self, function, *sizes):
        super().__init__()
        self.function = function
        self.register_buffer("constant", torch.rand(sizes) + 0.5)

    def forward(self, x):
        return self.function(x, self.constant)


def constant_cases():
    yield Case("add_constant_f32", lambda: WithConstant(torch.add, 3, 1), [(t(2, 3, 4),)],
               ("XNNAdd",))
    yield Case("sub_constant_first_f32", lambda: WithConstant(lambda x, c: c - x, 4),
               [(t(2, 3, 4),)], ("XNNSubtract",))
    yield Case("mul_constant_f16", lambda: WithConstant(torch.mul, 4), [(t(2, 3, 4),)],
               ("XNNMultiply",), torch.float16)
    yield Case("div_constant_f32", lambda: WithConstant(torch.div, 1), [(t(2, 3, 4),)],
               ("XNNDiv",))
    yield Case("add_scalar_f32", lambda: Fn(lambda x: x + 1.5), [(t(2, 3),)], ("XNNAdd",))
    yield Case("mul_self_f32", lambda: Fn(lambda x: x * x), [(t(2, 9),)], ("XNNMultiply",))


def special_cases():
    infinity = float("inf")
    odd = torch.tensor([0.0, -0.0, infinity, -infinity, 1e-30, -1e30, 0.5, -2.0, 1.0])
    for name in ("abs", "relu", "neg", "tanh"):
        function, node = UNARY[name][:2]
        yield Case(f"{name}_extremes_f32", lambda f=function: Fn(f), [(odd,)], (node,))
    yield Case("unary_chain_f32",
               lambda: Fn(lambda x: torch.exp(-torch.abs(torch.sin(x) * torch.cos(x)))),
               [(t(2, 5, 3),)], ("XNNExp", "XNNSin", "XNNCos"))
    yield Case("clamp_chain_f32", lambda: Fn(lambda x: F.relu6(torch.clamp(x, -3, 3)) + 1),
               [(t(1, 17, low=-9, high=9),)], ("XNNClamp",))


def cases():
    yield from unary_cases()
    yield from binary_cases()
    yield from constant_cases()
    yield from special_cases()
