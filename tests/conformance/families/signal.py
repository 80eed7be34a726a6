"""What no delegate takes: transforms, complex numbers, distances, grids."""

import torch
from recording import Case, Fn, t

nn = torch.nn
F = nn.functional
F64 = torch.float64
# A float transform is as exact as the largest number of its row.
SPECTRUM = dict(outside=True, atol=2e-5, rtol=1e-5)


class MelSpectrogram(nn.Module):
    """Windows of a signal, the power of their spectrum, and its logarithm in bands."""

    def __init__(self, size=32, step=8, bands=6):
        super().__init__()
        self.size, self.step = size, step
        self.register_buffer("window", torch.hann_window(size))
        self.register_buffer("bands", torch.rand(size // 2 + 1, bands))

    def forward(self, x):
        frames = x.unfold(-1, self.size, self.step) * self.window
        parts = torch.view_as_real(torch.fft.rfft(frames))
        power = parts[..., 0] ** 2 + parts[..., 1] ** 2
        return torch.log1p(power @ self.bands)


class GlobalFilter(nn.Module):
    """A convolution over the whole picture: a product in the frequency domain."""

    def __init__(self, height, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(height, width // 2 + 1))

    def forward(self, x):
        spectrum = torch.fft.rfft2(x, norm="ortho")
        return torch.fft.irfft2(spectrum * self.weight, s=x.shape[-2:], norm="ortho")


def spectrum(**options):
    return lambda: Fn(lambda x: torch.view_as_real(torch.fft.rfft(x, **options)).contiguous())


def fourier_cases():
    yield Case("mel_spectrogram_f32", MelSpectrogram, [(t(1, 80),), (t(1, 80, low=-0.1, high=0.1),)],
               **SPECTRUM)
    for length in (1, 2, 7, 30, 31, 64, 100):
        yield Case(f"rfft_{length}_f32", spectrum(), [(t(3, length),)], **SPECTRUM)
    yield Case("rfft_dim_f32", spectrum(dim=1), [(t(2, 12, 3),)],
               eager_because="ExecuTorch takes no transposed input here", **SPECTRUM)
    yield Case("rfft_ortho_f32", spectrum(norm="ortho"), [(t(2, 18),)], **SPECTRUM)
    yield Case("rfft_forward_f32", spectrum(norm="forward"), [(t(2, 18),)], **SPECTRUM)
    yield Case("rfft_60_f64", spectrum(), [(t(2, 60),)], dtype=F64, outside=True, atol=1e-12,
               rtol=1e-12)
    yield Case("rfft_magnitude_f32", lambda: Fn(lambda x: torch.fft.rfft(x).abs()), [(t(2, 40),)],
               **SPECTRUM)
    for name, function in {"fft": torch.fft.fft, "fft2": torch.fft.fft2}.items():
        yield Case(f"{name}_f32", lambda f=function: Fn(lambda x: torch.view_as_real(f(x))),
                   [(t(3, 10),)], eager_because="ExecuTorch keeps one half of a spectrum only",
                   **SPECTRUM)
    yield Case("rfft2_f32", lambda: Fn(lambda x: torch.view_as_real(torch.fft.rfft2(x))),
               [(t(2, 6, 9),)], **SPECTRUM)
    for length in (9, 16):
        yield Case(f"irfft_{length}_f32",
                   lambda n=length: Fn(lambda x: torch.fft.irfft(torch.fft.rfft(x), n=n)),
                   [(t(2, length),)], **SPECTRUM)
    yield Case("global_filter_f32", lambda: GlobalFilter(6, 8), [(t(2, 3, 6, 8),)], **SPECTRUM)
    yield Case("global_filter_odd_f32", lambda: GlobalFilter(5, 7), [(t(1, 2, 5, 7),)], **SPECTRUM)
    yield Case("stft_magnitude_f32",
               lambda: Fn(lambda x, w: torch.stft(x, 16, 4, window=w, return_complex=True).abs()),
               [(t(2, 50), t(16, low=0, high=1))], **SPECTRUM)


UNKNOWN_TO_EXECUTORCH = {
    "div": "ExecuTorch converts no integers to complex numbers",
    "transposed": "ExecuTorch converts no integers to complex numbers",
}


def rotate(x, rotations):
    """Pairs of numbers turned, as the positions of some language models are."""
    pairs = torch.view_as_complex(x.reshape(2, 3, 4, 2))
    return torch.view_as_real(pairs * torch.view_as_complex(rotations)).flatten(2)


def complex_cases():
    both = lambda f: lambda: Fn(
        lambda x, y: torch.view_as_real(f(torch.fft.rfft(x), torch.fft.rfft(y))).contiguous())
    operators = {
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / (b + 20),
        "cat": lambda a, b: torch.cat([a, b], 1),
        "conj": lambda a, b: a * torch.conj_physical(b),
        "transposed": lambda a, b: (a.transpose(0, 1) * 2)[1:4].unsqueeze(0),
        "sum": lambda a, b: (a * b).sum(0),
    }
    for name, function in operators.items():
        yield Case(f"complex_{name}_f32", both(function), [(t(3, 10), t(3, 10))],
                   eager_because=UNKNOWN_TO_EXECUTORCH.get(name, ""), **SPECTRUM)
    yield Case("complex_rotation_f32", lambda: Fn(rotate), [(t(2, 3, 8), t(3, 4, 2))],
               eager_because="ExecuTorch has no aten::view_as_complex_copy", **SPECTRUM)
    yield Case("complex_bmm_f32", both(lambda a, b: torch.bmm(a, b.transpose(1, 2))),
               [(t(2, 3, 8), t(2, 4, 8))], outside=True, atol=2e-4, rtol=1e-5)


def distance_cases():
    for p in (0.0, 1.0, 2.0, 3.0, float("inf")):
        label = str(p).replace(".0", "")
        yield Case(f"cdist_{label}_f32", lambda p=p: Fn(lambda x, y: torch.cdist(x, y, p=p)),
                   [(t(2, 4, 5), t(2, 3, 5))], outside=True)
    yield Case("cdist_broadcast_f32", lambda: Fn(lambda x, y: torch.cdist(x, y, p=2.0)),
               [(t(3, 1, 4, 5), t(2, 3, 5))], outside=True)
    for p in (1.0, 2.0):
        yield Case(f"pdist_{int(p)}_f32", lambda p=p: Fn(lambda x: F.pdist(x, p=p)), [(t(6, 5),)],
                   outside=True)


def grid_cases():
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for align in (False, True):
                name = f"grid_{mode}_{padding}{'_aligned' if align else ''}_f32"
                yield Case(
                    name,
                    lambda m=mode, p=padding, a=align: Fn(
                        lambda x, g: F.grid_sample(x, g, mode=m, padding_mode=p, align_corners=a)),
                    [(t(2, 2, 5, 6), t(2, 4, 3, 2, low=-1.6, high=1.6))], outside=True)
    yield Case("grid_bilinear_zeros_f16", lambda: Fn(lambda x, g: F.grid_sample(x, g)),
               [(t(1, 2, 5, 6), t(1, 4, 3, 2, low=-1.2, high=1.2))], dtype=torch.float16,
               outside=True, atol=4e-3, rtol=8e-3)


def normalization_cases():
    yield Case("instance_norm_statistics_f32",
               lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
               [(t(2, 3, 4, 5),)], outside=True)


def cases():
    yield from fourier_cases()
    yield from complex_cases()
    yield from distance_cases()
    yield from grid_cases()
    yield from normalization_cases()
