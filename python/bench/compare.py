"""What Python adds to a load and to a call, beside C++ (native_calls.cpp).

    compare.py NATIVE_CALLS COMMAND [--turns N]

NATIVE_CALLS: the library of that source; COMMAND: onepack, which makes models; both of the build. The
package is on the path. Both sides are measured in one process and in turns, because a machine is
never equally busy for long; the table has the median of C++, and of what Python adds in each turn.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy

import onepack

CASES = Path(__file__).resolve().parents[2] / "tests/data/cases"
CALLS = 200  # in one measurement


@dataclass(frozen=True)
class Files:
    program: str
    data: list[str]

    def load(self) -> onepack.Method:
        backend = onepack.Backend(onepack.WeightCache())
        files = [onepack.NamedData(path) for path in self.data]
        return onepack.Method(onepack.Program(self.program), backend=backend, data=files)


class Native:
    """The same in C++."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        self._library.onepack_native_load.restype = ctypes.c_double
        self._library.onepack_native_call.restype = ctypes.c_double

    def load(self, files: Files) -> float:
        return self._measure(self._library.onepack_native_load, files)

    def call(self, files: Files) -> float:
        return self._measure(self._library.onepack_native_call, files, ctypes.c_size_t(CALLS))

    def _measure(self, function: Callable[..., float], files: Files, *more: object) -> float:
        data = (ctypes.c_char_p * len(files.data))(*map(os.fsencode, files.data))
        count = ctypes.c_size_t(len(files.data))
        microseconds = function(os.fsencode(files.program), data, count, *more)
        if microseconds < 0:
            raise RuntimeError("the native side failed")
        return microseconds


def python_load(files: Files) -> float:
    start = time.perf_counter_ns()
    files.load()  # and closed again
    return (time.perf_counter_ns() - start) / 1000


def python_call(files: Files) -> float:
    method = files.load()
    (value,) = method.inputs
    assert value.shape is not None
    x = numpy.zeros((1, *value.shape[1:]) if value.is_dynamic else value.shape, value.dtype)
    method(x)
    start = time.perf_counter_ns()
    for _ in range(CALLS):
        method(x)
    return (time.perf_counter_ns() - start) / 1000 / CALLS


Measure = Callable[[Files], float]


def compare(turns: int, native: Measure, python: Measure, files: Files) -> tuple[float, float]:
    """The median of the native side, and of what the other one takes more; in microseconds."""
    found: dict[Measure, list[float]] = {native: [], python: []}
    for turn in range(turns + 2):
        for side in (native, python) if turn % 2 == 0 else (python, native):
            found[side].append(side(files))
    # The first ones read the files, and initialize XNNPACK.
    pairs = list(zip(found[native], found[python]))[2:]
    return statistics.median(a for a, _ in pairs), statistics.median(b - a for a, b in pairs)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def show(what: str, times: tuple[float, float]) -> None:
    native, more = times
    print(f"{what:28} C++ {native:9.1f} us   Python {more:+7.1f} us ({100 * more / native:+.1f} %)")


def make_model(command: str, folder: str, weights: str, preset: list[str]) -> Files:
    make = [command, "make-model", "llm", folder, "--weights", weights, "--adapters", "0", *preset]
    subprocess.run(make, check=True, capture_output=True)
    return Files(f"{folder}/base.pte", [str(path) for path in Path(folder).glob("*.ptd")])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("native_calls")
    parser.add_argument("command")
    parser.add_argument("--turns", type=int, default=101)
    options = parser.parse_args()
    native = Native(options.native_calls)
    print(f"{processor()}; medians of {options.turns} turns")
    family = CASES / "lora_fp32"
    small = Files(str(family / "base.pte"), [str(family / "foundation.ptd")])
    show("call of lora_fp32", compare(options.turns, native.call, python_call, small))
    show("load of lora_fp32", compare(options.turns, native.load, python_load, small))
    sizes = ["--dim", "512", "--layers", "8", "--ffn", "1536", "--vocabulary", "8000"]
    for weights in ("f32", "8da4w"):
        with tempfile.TemporaryDirectory() as folder:
            model = make_model(options.command, folder, weights, sizes)
            times = compare(options.turns, native.load, python_load, model)
            show(f"load of a model, {weights}", times)


if __name__ == "__main__":
    main()
