"""Convolutions in floating point."""

import torch
from recording import Case, Fn, t

nn = torch.nn
F16 = torch.float16
NAMES = {torch.float32: "f32", F16: "f16"}


def randomized(norm):
    """Batch normalization with statistics that are not 0 and 1."""
    nn.init.uniform_(norm.running_mean, -0.5, 0.5)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -0.5, 0.5)
    return norm


CONV2D = {
    "conv2d": lambda: nn.Conv2d(3, 5, 3),
    "conv2d_no_bias": lambda: nn.Conv2d(3, 5, 3, bias=False),
    "conv2d_1x1": lambda: nn.Conv2d(3, 5, 1),
    "conv2d_stride_padding": lambda: nn.Conv2d(3, 4, (3, 2), stride=2, padding=(1, 0)),
    "conv2d_dilation": lambda: nn.Conv2d(3, 4, 2, dilation=(2, 1)),
    "conv2d_same": lambda: nn.Conv2d(3, 4, 3, padding="same"),
    "conv2d_groups": lambda: nn.Conv2d(3, 6, 3, groups=3, padding=1),
    "conv2d_depthwise": lambda: nn.Conv2d(3, 3, 3, groups=3),
    "conv2d_depthwise_padding": lambda: nn.Conv2d(3, 3, 5, groups=3, padding=2, stride=2),
    "conv2d_depthwise_dilation": lambda: nn.Conv2d(3, 3, 2, groups=3, dilation=2, bias=False),
}


def conv2d_cases():
    image = t(1, 3, 6, 7)
    for name, module in CONV2D.items():
        depthwise = "groups" in name or "depthwise" in name
        yield Case(f"{name}_f32", module, [(image,)],
                   ("XNNDepthwiseConv2d" if depthwise else "XNNConv2d",))
    for name in ("conv2d", "conv2d_no_bias", "conv2d_depthwise", "conv2d_groups"):
        yield Case(f"{name}_f16", CONV2D[name], [(image,)], (), F16)
    yield Case("conv2d_grouped_wide_f32", lambda: nn.Conv2d(6, 4, 3, groups=2), [(t(1, 6, 4, 4),)],
               ("XNNConv2d",))
    yield Case("conv2d_batch_f32", lambda: nn.Conv2d(2, 3, 2), [(t(3, 2, 4, 4),)], ("XNNConv2d",))
    yield Case("conv2d_channels_last_f32", lambda: nn.Conv2d(3, 4, 3),
               [(t(1, 3, 5, 5, channels_last=True),)], ("XNNConv2d",))
    yield Case("conv2d_relu_f32", lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU()),
               [(t(1, 2, 4, 5),)], ("XNNConv2d",))
    yield Case("conv2d_relu6_f16", lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU6()),
               [(t(1, 2, 4, 5),)], ("XNNConv2d",), F16)
    yield Case("conv2d_hardtanh_f32",
               lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.Hardtanh(-0.25, 0.5)),
               [(t(1, 2, 4, 5),)], ("XNNConv2d",))


def batch_norm_cases():
    yield Case("conv2d_batch_norm_f32",
               lambda: nn.Sequential(nn.Conv2d(2, 4, 3), randomized(nn.BatchNorm2d(4))),
               [(t(1, 2, 5, 4),)], ("XNNConv2d",))
    yield Case("conv2d_batch_norm_relu_no_bias_f32",
               lambda: nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), randomized(nn.BatchNorm2d(4)),
                                     nn.ReLU()), [(t(1, 2, 5, 4),)], ("XNNConv2d",))
    yield Case("batch_norm_f32", lambda: randomized(nn.BatchNorm2d(3)), [(t(2, 3, 3, 2),)],
               ("XNNDepthwiseConv2d",))
    yield Case("batch_norm1d_f32", lambda: randomized(nn.BatchNorm1d(3)), [(t(2, 3, 5),)],
               outside=True)
    yield Case("conv1d_batch_norm_relu_f32",
               lambda: nn.Sequential(nn.Conv1d(2, 4, 3), randomized(nn.BatchNorm1d(4)), nn.ReLU()),
               [(t(1, 2, 6),)], ("XNNConv2d",))
    yield Case("batch_norm_f16", lambda: randomized(nn.BatchNorm2d(3)), [(t(1, 3, 3, 2),)], (),
               F16)


def conv1d_cases():
    yield Case("conv1d_f32", lambda: nn.Conv1d(3, 4, 3), [(t(2, 3, 7),)], ("XNNConv2d",))
    yield Case("conv1d_f16", lambda: nn.Conv1d(3, 4, 3), [(t(1, 3, 7),)], ("XNNConv2d",), F16)
    yield Case("conv1d_stride_padding_f32", lambda: nn.Conv1d(3, 4, 3, 2, 1, bias=False),
               [(t(1, 3, 7),)], ("XNNConv2d",))
    yield Case("conv1d_depthwise_f32", lambda: nn.Conv1d(3, 3, 3, groups=3, dilation=2),
               [(t(1, 3, 9),)], ("XNNDepthwiseConv2d",))
    yield Case("conv1d_twice_f32",
               lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Conv1d(3, 2, 1)),
               [(t(1, 2, 8),)], ("XNNConv2d",))


def transposed_cases():
    transposed = {
        "conv_transpose2d": lambda: nn.ConvTranspose2d(3, 4, 3),
        "conv_transpose2d_stride": lambda: nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1,
                                                              output_padding=1),
        "conv_transpose2d_groups": lambda: nn.ConvTranspose2d(4, 6, 2, groups=2, stride=(2, 1)),
        "conv_transpose2d_depthwise": lambda: nn.ConvTranspose2d(4, 4, 3, groups=4),
        "conv_transpose2d_no_bias": lambda: nn.ConvTranspose2d(3, 2, 2, bias=False, dilation=2),
    }
    for name, module in transposed.items():
        channels = 4 if "groups" in name or "depthwise" in name else 3
        yield Case(f"{name}_f32", module, [(t(1, channels, 3, 4),)], ("XNNConvTranspose2d",))
    yield Case("conv_transpose2d_f16", transposed["conv_transpose2d_stride"], [(t(1, 3, 3, 4),)],
               ("XNNConvTranspose2d",), F16)
    yield Case("conv_transpose2d_batch_norm_f32",
               lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 2, stride=2),
                                     randomized(nn.BatchNorm2d(3)), nn.ReLU()),
               [(t(1, 2, 3, 3),)], ("XNNConvTranspose2d",))
    yield Case("conv_transpose1d_f32", lambda: nn.ConvTranspose1d(2, 3, 3, stride=2),
               [(t(1, 2, 5),)], ("XNNConvTranspose2d",))


def network_cases():
    yield Case("conv_prelu_f32", lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.PReLU(4)),
               [(t(1, 2, 5, 5),)], ("XNNPReLU", "XNNConv2d"))
    yield Case("prelu_f32", lambda: nn.PReLU(), [(t(1, 3, 4, 2),)], ("XNNPReLU",))
    yield Case("prelu_channels_f32", lambda: slopes(nn.PReLU(3)), [(t(2, 3, 2, 2),)],
               ("XNNPReLU",))
    yield Case("prelu_channels_f16", lambda: slopes(nn.PReLU(3)), [(t(1, 3, 2, 2),)],
               ("XNNPReLU",), F16)
    yield Case("residual_block_f32", lambda: Residual(), [(t(1, 4, 5, 5),)],
               ("XNNConv2d", "XNNAdd"))
    yield Case("conv_pool_linear_f32",
               lambda: nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                     nn.Linear(12, 4), nn.Softmax(-1)), [(t(1, 1, 6, 6),)],
               ("XNNDepthwiseConv2d", "XNNMaxPooling2d", "XNNFullyConnected", "XNNSoftmax"))
    yield Case("mobile_block_f32",
               lambda: nn.Sequential(nn.Conv2d(3, 6, 1), nn.Hardswish(),
                                     nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU6(),
                                     nn.Conv2d(6, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
               [(t(1, 3, 5, 4),)], ("XNNDepthwiseConv2d", "XNNHardswish"))
    yield Case("conv_shared_input_f32", lambda: TwoConvolutions(), [(t(1, 2, 4, 4),)],
               ("XNNConv2d", "XNNConcatenate2"))
    yield Case("conv2d_elu_f32", lambda: nn.Sequential(nn.Conv2d(1, 2, 2), nn.ELU(0.5)),
               [(t(1, 1, 3, 3),)], ("XNNDepthwiseConv2d",))
    yield Case("pixel_shuffle_f32", lambda: Fn(lambda x: nn.functional.pixel_shuffle(x.abs(), 2)),
               [(t(1, 4, 2, 3),)], ("XNNAbs",))


def slopes(prelu):
    nn.init.uniform_(prelu.weight, 0.05, 0.8)
    return prelu


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = randomized(nn.BatchNorm2d(4))
        self.second = nn.Conv2d(4, 4, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


class TwoConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(2, 3, 3, padding=1)
        self.b = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return torch.cat((self.a(x), torch.sigmoid(self.b(x))), 1)


def cases():
    yield from conv2d_cases()
    yield from batch_norm_cases()
    yield from conv1d_cases()
    yield from transposed_cases()
    yield from network_cases()
