"""What Python adds to a load and to a call, beside C++ (native_calls.cpp), in turns.

    compare.py NATIVE_CALLS ONEPACK [--turns N]

NATIVE_CALLS and ONEPACK are programs of the build; the package is on the path. Prints a table of
medians over turns, each of which is a process of its own for C++ and one for Python.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

import onepack

CASES = Path(__file__).resolve().parents[2] / "tests/data/cases"


def load(program: str, data: list[str]) -> onepack.Method:
    backend = onepack.Backend(onepack.WeightCache())
    files = [onepack.NamedData(path) for path in data]
    return onepack.Method(onepack.Program(program), backend=backend, data=files)


def measure(loads: int, calls: int, program: str, data: list[str]) -> None:
    """As native_calls: prints microseconds."""
    for _ in range(loads):
        start = time.perf_counter_ns()
        load(program, data)
        print((time.perf_counter_ns() - start) / 1000, end=" ")
    print()
    method = load(program, data)
    if len(method.inputs) != 1:
        return
    value = method.inputs[0]
    assert value.shape is not None
    x = numpy.zeros((1, *value.shape[1:]) if value.is_dynamic else value.shape, value.dtype)
    for _ in range(calls // 10):
        method(x)
    start = time.perf_counter_ns()
    for _ in range(calls):
        method(x)
    print((time.perf_counter_ns() - start) / 1000 / calls)


def run(command: list[str]) -> tuple[float, float | None]:
    """The median of the loads but the first, and a call."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    loads = [float(number) for number in lines[0].split()]
    return statistics.median(loads[1:] or loads), float(lines[1]) if len(lines) > 1 else None


def compare(native: str, turns: int, loads: int, calls: int, files: list[str]) -> list[list[float]]:
    """Microseconds: loads in C++ and in Python, calls in C++ and in Python."""
    found: list[list[float]] = [[], [], [], []]
    counts = [str(loads), str(calls)]
    python = [sys.executable, __file__, "--measure", *counts, *files]
    for turn in range(turns):
        sides = [(0, [native, *counts, *files]), (1, python)]
        for side, command in sides if turn % 2 == 0 else reversed(sides):
            a_load, a_call = run(command)
            found[side].append(a_load)
            if a_call is not None:
                found[2 + side].append(a_call)
    return found


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def show(name: str, found: list[list[float]]) -> None:
    native, python = (statistics.median(side) for side in found[:2])
    print(f"{name:28} load {native:10.1f} us  in Python {python:10.1f} us ({python / native:.3f})")
    if found[2]:
        native_call, python_call = (statistics.median(side) for side in found[2:])
        added = python_call - native_call
        print(
            f"{'':28} call {native_call:10.1f} us  in Python {python_call:10.1f} us (+{added:.1f})"
        )


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        loads, calls, program, *data = sys.argv[2:]
        return measure(int(loads), int(calls), program, data)
    parser = argparse.ArgumentParser()
    parser.add_argument("native")
    parser.add_argument("command")
    parser.add_argument("--turns", type=int, default=11)
    options = parser.parse_args()
    print(f"{processor()}; medians of {options.turns} turns")
    family = CASES / "lora_fp32"
    small = [str(family / file) for file in ("base.pte", "foundation.ptd")]
    show("lora_fp32/base", compare(options.native, options.turns, 20, 2000, small))
    with tempfile.TemporaryDirectory() as folder:
        for weights in ("f32", "8da4w"):
            sizes = ["--dim", "512", "--layers", "4", "--ffn", "1536", "--adapters", "0"]
            make = [options.command, "make-model", "llm", f"{folder}/{weights}", *sizes]
            subprocess.run([*make, "--weights", weights], check=True, capture_output=True)
            files = [f"{folder}/{weights}/base.pte"]
            files += map(str, Path(folder, weights).glob("*.ptd"))
            show(f"language model, {weights}", compare(options.native, options.turns, 8, 1, files))


if __name__ == "__main__":
    main()
