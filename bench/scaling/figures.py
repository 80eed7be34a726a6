"""What bench/results/scaling.json says: medians of its rounds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Figures:
    def __init__(self, path: Path) -> None:
        self._results: Json = json.loads(path.read_text(encoding="utf-8"))

    @property
    def rounds(self) -> int:
        return min(len(results) for results in self._results["points"].values())

    @property
    def machine(self) -> str:
        return f"{self._results['machine']}, {', '.join(self._results['features'])}"

    @property
    def marks(self) -> list[int]:
        """Numbers of adapters, beside the base."""
        marks: list[int] = self._results["marks"]
        return marks

    @property
    def layers(self) -> list[int]:
        return [int(layers) for layers in self._results["sizes"]]

    def size(self, layers: int, name: str) -> int:
        size: int = self._results["sizes"][str(layers)][name]
        return size

    def grown(self, layers: int, mode: str, threads: int, name: str) -> list[float]:
        """At each mark."""
        key = f"grow {layers} layers, {mode}, {threads}"
        rounds = [result[name] for result in self._results["points"][key]]
        return [statistics.median(values) for values in zip(*rounds, strict=True)]

    def of_the_base(self, layers: int, mode: str, threads: int, name: str) -> float:
        return self.grown(layers, mode, threads, name)[0]

    def per_adapter(self, layers: int, mode: str, threads: int, name: str) -> float:
        """What each one has added, from the second to the last: the first one brings structures that are new."""
        values = self.grown(layers, mode, threads, name)
        first = self.marks.index(1)
        return (values[-1] - values[first]) / (self.marks[-1] - 1)

    def of_the_last(self, layers: int, mode: str, threads: int, name: str) -> float:
        return self.grown(layers, mode, threads, name)[-1]

    def swapped(self, mode: str, place: str, *path: str) -> float:
        return self._median(f"swap {mode}, {place}", lambda result: _at(result, path))

    def opened(self, adapters: int, name: str) -> float:
        return self._median(f"opening {adapters}", lambda result: result[name])

    def bytes_per_token(self, layers: int) -> float:
        """Of a context, while it fills: after the first chunk, which takes activations, too."""

        def of(context: Json) -> float:
            anonymous = context["anonymous_bytes"]
            tokens: int = (len(anonymous) - 2) * context["chunk"]
            return float(anonymous[-1] - anonymous[1]) / tokens

        return self._median(f"context {layers}", of)

    def _median(self, point: str, read: Callable[[Json], float]) -> float:
        return statistics.median(float(read(result)) for result in self._results["points"][point])


def _at(value: Any, path: tuple[str, ...]) -> float:
    for name in path:
        value = value[name]
    return float(value)
