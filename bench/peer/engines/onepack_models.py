"""The model as onepack and ExecuTorch read it: `onepack make-model`, 8da4w. Adapters of all ranks have one foundation."""

import filecmp
import os
import subprocess

from .shape import ADAPTERS, CONTEXT

OPTIONS = (
    "--preset",
    "Qwen3-0.6B",
    "--weights",
    "8da4w",
    "--int8-embedding",
    "--context",
    str(CONTEXT),
)


def folder_of(folder: str, rank: int) -> str:
    return f"{folder}/rank{rank}"


def share_foundation(kept: str, other: str) -> None:
    if not filecmp.cmp(kept, other, shallow=False):
        raise SystemExit(
            f"{other}: differs from {kept}; the foundation does not depend on the rank"
        )
    os.remove(other)
    os.link(kept, other)


def write(folder: str, onepack: str) -> None:
    first = None
    for rank, count in ADAPTERS.items():
        target = folder_of(folder, rank)
        subprocess.run(
            [
                onepack,
                "make-model",
                "llm",
                target,
                *OPTIONS,
                "--rank",
                str(rank),
                "--adapters",
                str(count),
            ],
            check=True,
        )
        foundation = f"{target}/foundation.ptd"
        if first is None:
            first = foundation
        else:
            share_foundation(first, foundation)
