"""Nodes that reduce or resample: pooling, mean, max of a dimension, softmax, resize."""

import torch
from recording import Case, Fn, t

nn = torch.nn
F = nn.functional
F16 = torch.float16


def pool_cases():
    image = t(1, 3, 7, 6)
    pools = {
        "maxpool": nn.MaxPool2d(2),
        "maxpool_one_element": nn.MaxPool2d(1),
        "maxpool_stride1": nn.MaxPool2d((3, 2), stride=(1, 1)),
        "maxpool_padding": nn.MaxPool2d(3, stride=2, padding=1),
        "maxpool_dilation": nn.MaxPool2d(2, stride=1, dilation=2),
        "maxpool_ceil": nn.MaxPool2d(3, stride=2, ceil_mode=True),
        "maxpool_ceil_padding": nn.MaxPool2d((2, 3), stride=2, padding=(1, 1), ceil_mode=True),
        "avgpool": nn.AvgPool2d(2),
        "avgpool_padding": nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        "avgpool_stride1": nn.AvgPool2d((2, 3), stride=1),
        "avgpool_divisor": nn.AvgPool2d(2, divisor_override=4),
    }
    for name, pool in pools.items():
        node = "XNNMaxPooling2d" if name.startswith("max") else "XNNAvgPooling2d"
        yield Case(f"{name}_f32", lambda p=pool: p, [(image,)], (node,))
    yield Case("maxpool_f16", lambda: nn.MaxPool2d(3, 2, 1), [(image,)], ("XNNMaxPooling2d",), F16)
    yield Case("avgpool_f16", lambda: nn.AvgPool2d(2), [(image,)], ("XNNAvgPooling2d",), F16)
    yield Case("maxpool_relu_f32", lambda: nn.Sequential(nn.MaxPool2d(2), nn.ReLU()),
               [(t(2, 2, 4, 4),)], ("XNNMaxPooling2d",))
    yield Case("avgpool_channels_last_f32", lambda: nn.AvgPool2d(2),
               [(t(1, 3, 4, 4, channels_last=True),)], ("XNNAvgPooling2d",))
    for size in (1, 2, (2, 3)):
        label = size if isinstance(size, int) else "2x3"
        yield Case(f"adaptive_avgpool_{label}_f32", lambda s=size: nn.AdaptiveAvgPool2d(s),
                   [(t(1, 3, 4, 6),)], outside=True)
    yield Case("avgpool_include_pad_f32", lambda: nn.AvgPool2d(3, padding=1), [(image,)],
               outside=True)


def mean_cases():
    mean = lambda dims: lambda x: torch.mean(x, dims, keepdim=True)
    yield Case("mean_hw_f32", lambda: Fn(mean((2, 3))), [(t(2, 3, 4, 5),)],
               ("XNNGlobalAvgPooling2d",))
    yield Case("mean_hw_negative_dims_f16", lambda: Fn(mean((-1, -2))), [(t(1, 3, 4, 5),)],
               ("XNNGlobalAvgPooling2d",), F16)
    yield Case("mean_hw_channels_last_f32", lambda: Fn(mean((2, 3))),
               [(t(1, 3, 4, 5, channels_last=True),)], ("XNNGlobalAvgPooling2d",))
    yield Case("mean_last_dim_f32", lambda: Fn(mean((-1,))), [(t(2, 3, 4),)], outside=True)
    yield Case("mean_dropped_dims_f32", lambda: Fn(lambda x: torch.mean(x.abs(), (2, 3))),
               [(t(2, 3, 4, 2),)], ("XNNAbs",))


def max_cases():
    for dim in (2, 3):
        yield Case(f"max_dim{dim}_f32",
                   lambda d=dim: Fn(lambda x: torch.max(x.abs(), d, keepdim=True)[0]),
                   [(t(1, 2, 5, 3),)], outside=True)
    yield Case("max_dim_indices_f32",
               lambda: Fn(lambda x: tuple(torch.max(x.abs(), 2, keepdim=True))),
               [(t(1, 2, 5, 3),)], ("XNNAbs",))
    yield Case("max_dim_f16", lambda: Fn(lambda x: torch.max(x, 3, keepdim=True)[0]),
               [(t(1, 2, 3, 5),)], (), F16, outside=True)
    yield Case("max_dim_and_add_f32",
               lambda: Fn(lambda x: torch.max(x + x, 2, keepdim=True)[0] + 1),
               [(t(1, 2, 5, 3),)], ("XNNAdd",))
    yield Case("argmax_f32", lambda: Fn(lambda x: torch.argmax(x.abs(), -1)), [(t(3, 7),)],
               ("XNNAbs",))
    yield Case("amax_f32", lambda: Fn(lambda x: torch.amax(x.abs(), -1, keepdim=True)),
               [(t(3, 7),)], ("XNNAbs",))
    yield Case("max_unary_f32", lambda: Fn(lambda x: torch.max(x.abs())), [(t(3, 7),)],
               ("XNNAbs",))


def softmax_cases():
    yield Case("softmax_f32", lambda: nn.Softmax(-1), [(t(2, 3, 11, low=-9, high=9),)],
               ("XNNSoftmax",))
    yield Case("softmax_rank1_f32", lambda: nn.Softmax(0), [(t(7),)], ("XNNSoftmax",))
    yield Case("softmax_rank4_f32", lambda: nn.Softmax(3), [(t(1, 2, 3, 4),)], ("XNNSoftmax",))
    yield Case("softmax_f16", lambda: nn.Softmax(-1), [(t(3, 9, low=-4, high=4),)],
               ("XNNSoftmax",), F16)
    yield Case("softmax_other_dim_f32", lambda: Fn(lambda x: torch.softmax(x.abs(), 1)),
               [(t(2, 3, 4),)], ("XNNAbs",))
    yield Case("log_softmax_f32", lambda: Fn(lambda x: torch.log_softmax(x.abs(), -1)),
               [(t(2, 5),)], ("XNNAbs",))


def resize_cases():
    for align in (False, True):
        label = "aligned" if align else "half_pixel"
        for size, name in (((5, 7), "up"), ((2, 3), "down")):
            yield Case(f"resize_{name}_{label}_f32",
                       lambda s=size, a=align: Fn(lambda x: F.interpolate(
                           x, size=s, mode="bilinear", align_corners=a)),
                       [(t(1, 2, 3, 4),)], ("XNNStaticResizeBilinear2D",))
        yield Case(f"resize_scale_{label}_f16",
                   lambda a=align: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=a),
                   [(t(1, 3, 2, 3),)], (), F16, outside=True)
    yield Case("resize_antialias_f32",
               lambda: Fn(lambda x: F.interpolate(x.abs(), size=(2, 2), mode="bilinear",
                                                  antialias=True)), [(t(1, 2, 4, 4),)],
               ("XNNAbs",))
    yield Case("resize_nearest_f32", lambda: Fn(lambda x: F.interpolate(x.abs(), scale_factor=2)),
               [(t(1, 2, 2, 3),)], ("XNNAbs",))


def norm_cases():
    yield Case("layer_norm_f32", lambda: nn.LayerNorm(6), [(t(2, 3, 6),)], outside=True)
    yield Case("layer_norm_of_sum_f32",
               lambda: WithAdd(nn.LayerNorm(6)), [(t(2, 6), t(2, 6))], ("XNNAdd",))
    yield Case("rms_norm_f32",
               lambda: Fn(lambda x: x * torch.rsqrt(torch.mean(x * x, -1, keepdim=True) + 1e-5)),
               [(t(2, 3, 8),)], ("XNNMultiply",))
    yield Case("rms_norm_4d_f32",
               lambda: Fn(lambda x: x * torch.rsqrt(torch.mean(x * x, (2, 3), keepdim=True))),
               [(t(1, 2, 3, 4),)], ("XNNGlobalAvgPooling2d", "XNNReciprocalSquareRoot"))
    yield Case("group_norm_f32", lambda: nn.GroupNorm(2, 4), [(t(1, 4, 3, 3),)], outside=True)


class WithAdd(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, y):
        return self.inner(x + y)


def cases():
    yield from pool_cases()
    yield from mean_cases()
    yield from max_cases()
    yield from softmax_cases()
    yield from resize_cases()
    yield from norm_cases()
