"""The package's own files, and those of examples that use it: formatted, linted, and typed as strictly as
mypy can."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import onepack

FOLDER = Path(__file__).resolve().parents[1]
ROOT = FOLDER.parent
PACKAGE = Path(onepack.__file__).parent  # with the stub of the module
RAY_SERVE = [str(ROOT / "examples/ray_serve"), str(ROOT / "tests/examples/ray_serve")]
HUGGING_FACE = [str(ROOT / "examples/hugging_face"), str(ROOT / "tests/examples/hugging_face")]
ENGINES = [
    str(ROOT / path)
    for path in ("bench/peer/digits.py", "bench/peer/engines", "tests/bench/engines_page_test.py")
]
SCALING = [
    str(ROOT / path)
    for path in (
        "bench/scaling",
        "bench/peer/machine.py",
        "bench/peer/svg.py",
        "tests/bench/simulate_test.py",
    )
]
SOURCES = [
    str(FOLDER),
    *RAY_SERVE,
    *HUGGING_FACE,
    str(ROOT / "examples/tiny_lm"),
    *ENGINES,
    *SCALING,
]
OWN_RULES = ["--no-cache", "--config", str(FOLDER / "pyproject.toml")]


@pytest.mark.parametrize(
    "check",
    [
        ["ruff", "check", *OWN_RULES, *SOURCES],
        ["ruff", "format", *OWN_RULES, "--check", *SOURCES],
        ["mypy", "--cache-dir", os.devnull, str(PACKAGE), str(FOLDER / "tests")],
    ],
    ids=["lint", "format", "types"],
)
def test_sources_are_clean(check: list[str]) -> None:
    check_sources(check)


# Where they import older scripts, those are not looked at.
def test_the_benchmark_of_engines_is_typed() -> None:
    check_sources(["mypy", "--cache-dir", os.devnull, "--follow-imports", "silent", *ENGINES])


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="there is no Ray")
def test_the_example_of_ray_serve_is_typed() -> None:
    check_sources(["mypy", "--cache-dir", os.devnull, *RAY_SERVE])


def test_the_measurement_of_growth_is_typed() -> None:
    rules = ["--explicit-package-bases", "--cache-dir", os.devnull]
    check_sources(["mypy", *rules, *SCALING], path=[ROOT])


def check_sources(check: list[str], path: list[Path] | None = None) -> None:
    pytest.importorskip(check[0])  # build/python has them
    path = path or [PACKAGE.parent, FOLDER / "tests", ROOT / "examples", ROOT / "bench/peer"]
    done = subprocess.run(
        [sys.executable, "-m", *check],
        cwd=FOLDER,
        env={**os.environ, "MYPYPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "_core.pyi").stat().st_size > 1000
