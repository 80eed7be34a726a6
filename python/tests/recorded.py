"""Recorded programs (tests/data/cases, tests/conformance/cases): what goes in and what comes out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from onepack import Backend, Method, NamedData, Program
from onepack._arrays import dtype_of

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/data/cases"
CONFORMANCE = ROOT / "tests/conformance/cases"
LANGUAGE_MODELS = ROOT / "tests/data/language_models"


@dataclass(frozen=True)
class Call:
    inputs: list[Any]
    outputs: list[Any]


@dataclass(frozen=True)
class Case:
    path: Path
    fields: dict[str, Any]

    @property
    def calls(self) -> list[Call]:
        raw = self.path.with_suffix(".bin").read_bytes()
        return [
            Call(
                [_value(raw, value) for value in call["inputs"]],
                [_value(raw, value) for value in call["outputs"]],
            )
            for call in self.fields["calls"]
        ]

    @property
    def data(self) -> list[Path]:
        return [self.path.parent / name for name in self.fields.get("data", [])]

    @property
    def program(self) -> Path:
        return self.path.parent / str(self.fields["program"])

    def load(self, backend: Backend, **options: Any) -> Method:
        """Nothing else keeps what it was loaded from."""
        with Program(self.program) as program:
            files = [NamedData(path) for path in self.data]
            name = self.fields.get("method", "forward")
            return Method(program, name, backend=backend, data=files, **options)

    def check(self, method: Method) -> None:
        for call in self.calls:
            if self.fields.get("state") == "fresh_for_each_call":
                method.reset()
            found = method(*call.inputs)
            assert len(found) == len(call.outputs)
            for output, expected in zip(found, call.outputs):
                self.check_output(output, expected)

    def check_output(self, found: Any, expected: Any) -> None:
        if not isinstance(expected, numpy.ndarray):
            assert type(found) is type(expected)
            assert found == expected
            return
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        kind = numpy.complex128 if expected.dtype.kind == "c" else numpy.float64
        numpy.testing.assert_allclose(
            found.astype(kind),
            expected.astype(kind),
            atol=self.fields.get("atol", 0),
            rtol=self.fields.get("rtol", 0),
        )


def read_case(path: Path) -> Case:
    return Case(path, json.loads(path.read_text()))


def llm_data(name: str, family: str = "llm_8da4w") -> list[NamedData]:
    """Of "base", "a0" or "a1"."""
    files = ["foundation.ptd", *([] if name == "base" else [f"{name}.ptd"])]
    return [NamedData(CASES / family / file) for file in files]


def llm_program(name: str, family: str = "llm_8da4w") -> Program:
    return Program(CASES / family / f"{name}.pte")


def _value(raw: bytes, value: dict[str, Any]) -> Any:
    for kind in ("int", "bool", "double"):
        if kind in value:
            return value[kind]
    dtype = dtype_of(value["dtype"])
    sizes, order = value["sizes"], value["dim_order"]
    count = value["nbytes"] // dtype.itemsize
    flat = numpy.frombuffer(raw, dtype, count, value["offset"])
    stored = flat.reshape([sizes[dim] for dim in order])
    return stored.transpose(numpy.argsort(order))
