"""Which kind of processor this is: what engines choose kernels by, and what results are kept apart by."""

# The best first: key of the results, title, what /proc/cpuinfo has in its flags.
KINDS = (
    ("avx512_vnni", "AVX512-VNNI", "avx512_vnni"),
    ("avx_vnni", "AVX-VNNI", "avx_vnni"),
    ("avx2", "AVX2 without VNNI", "avx2"),
    ("other", "Other processors", ""),
)
TITLES = {key: title for key, title, _ in KINDS}
SHOWN_FLAGS = (
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
)


def kind(found: set[str]) -> str:
    return next(key for key, _, flag in KINDS if not flag or flag in found)


def shown(found: set[str]) -> list[str]:
    return [flag for flag in SHOWN_FLAGS if flag in found]
