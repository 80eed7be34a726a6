"""The package's own files: formatted, linted, and typed as strictly as mypy can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import onepack

FOLDER = Path(__file__).resolve().parents[1]
PACKAGE = Path(onepack.__file__).parent  # with the stub of the module


@pytest.mark.parametrize(
    "check",
    [
        ["ruff", "check", "--no-cache", str(FOLDER)],
        ["ruff", "format", "--no-cache", "--check", str(FOLDER)],
        ["mypy", "--cache-dir", os.devnull, str(PACKAGE), str(FOLDER / "tests")],
    ],
    ids=["lint", "format", "types"],
)
def test_sources_are_clean(check: list[str]) -> None:
    pytest.importorskip(check[0])  # build/python has them
    done = subprocess.run(
        [sys.executable, "-m", *check],
        cwd=FOLDER,
        env={**os.environ, "MYPYPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "_core.pyi").stat().st_size > 1000
