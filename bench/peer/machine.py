"""What a figure was measured on."""

from __future__ import annotations

import os
import platform

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimddp", "i8mm")


def machine() -> str:
    # The rest of a release says whose machine it is.
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{_cpuinfo('model name') or 'unknown processor'}, {os.cpu_count()} cores, Linux {kernel}"
    )


def features() -> list[str]:
    """Of the processor, those that choose kernels."""
    there = flags()
    return [feature for feature in FEATURES if feature in there]


def flags() -> set[str]:
    """All features of the processor, as the kernel names them."""
    return set((_cpuinfo("flags") or _cpuinfo("Features")).split())


def _cpuinfo(field: str) -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    return ""
