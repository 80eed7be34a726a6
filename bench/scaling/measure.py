"""Measures how cost grows with adapters, layers and threads, and what a dropped adapter costs when it is asked for.

    python3 -m bench.scaling.measure BUILD FOLDER [--rounds N]

in the repository's root. BUILD is a build folder of the preset release; models (3 GB) are made in FOLDER where they are
not there yet. Each data point is a process of its own; a round has one of each. Results are added to
bench/results/scaling.json at once, until there are N rounds: a series that is stopped, or has its time limited, goes on
where it was. A file of another machine is begun again. report.py makes the page.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.peer.machine import features, machine

RESULTS = Path("bench/results/scaling.json")
LAYERS = (4, 8, 16, 28)
THREADS = (1, 2)
ADAPTERS, RANK, CONTEXT = 64, 4, 512
# Programs that are loaded when figures are noted; the first one is the base.
MARKS = (0, 1, 2, 4, 8, 16, 32, 64)
IN_PLACE, PACKED, PACKED_FILE, RETAINED = "in place", "packed", "packed file", "packed, retained"
# Adapters in the packed file over which the base program is loaded.
FILLED = (0, 16, 64)
# More than one adapter's packed weights.
RETAINED_BYTES = 1 << 30

Json = dict[str, Any]


class Model:
    """One of LAYERS, on disk."""

    def __init__(self, folder: Path, layers: int) -> None:
        self.layers = layers
        self._folder = folder / f"layers_{layers}"

    def make(self, build: Path) -> None:
        options = [
            "--preset",
            "Qwen3-0.6B",
            "--layers",
            str(self.layers),
            "--weights",
            "8da4w",
            "--int8-embedding",
        ]
        options += [
            "--context",
            str(CONTEXT),
            "--chunk",
            "256",
            "--rank",
            str(RANK),
            "--adapters",
            str(ADAPTERS),
        ]
        noted = self._folder / "options"
        if noted.exists() and noted.read_text() == " ".join(options):
            return
        command = [
            str(build / "tools/onepack"),
            "make-model",
            "llm",
            str(self._folder),
            *options,
            "--replace",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        noted.write_text(" ".join(options))

    def programs(self, count: int) -> list[str]:
        """The base and the first `count` adapters, as the driver takes them."""
        lists = [self._files("base.pte", "foundation.ptd")]
        lists += [
            self._files(f"lora{k}.pte", "foundation.ptd", f"lora{k}.ptd") for k in range(count)
        ]
        return [option for files in lists for option in ("--program", files)]

    def packed_file(self, adapters: int) -> Path:
        return self._folder / f"packed_{adapters}.bin"

    def sizes(self) -> dict[str, int]:
        names = {"program": "lora0.pte", "data": "lora0.ptd", "foundation": "foundation.ptd"}
        found = {name: (self._folder / file).stat().st_size for name, file in names.items()}
        for adapters in FILLED:
            if self.packed_file(adapters).exists():
                found[f"packed file of {adapters}"] = self.packed_file(adapters).stat().st_size
        return found

    def _files(self, *names: str) -> str:
        return ",".join(str(self._folder / name) for name in names)


def read_files(arguments: Sequence[str]) -> None:
    """Into the page cache: the system may have dropped what was not used for some minutes."""
    for path in {Path(path) for argument in arguments for path in argument.split(",")}:
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass


class Driver:
    def __init__(self, build: Path) -> None:
        self._program = str(build / "bench/peer/peer_onepack")

    def run(self, scenario: str, threads: int, arguments: Sequence[str]) -> Json:
        read_files(arguments)
        count = str(threads)
        command = [
            self._program,
            scenario,
            "--threads",
            count,
            "--packing-threads",
            count,
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
        found: Json = json.loads(done.stdout.splitlines()[-1])
        return found


def mode_options(mode: str, packed_file: Path) -> list[str]:
    if mode == IN_PLACE:
        return []
    options = ["--linears", "packed"]
    if mode == RETAINED:
        options += ["--retained-bytes", str(RETAINED_BYTES)]
    if mode == PACKED_FILE:
        options += ["--packed", str(packed_file)]
    return options


def fill(driver: Driver, model: Model, adapters: int) -> None:
    """Makes the packed file of the base and so many adapters, from nothing."""
    path = model.packed_file(adapters)
    if not path.exists():
        driver.run("grow", 1, [*mode_options(PACKED_FILE, path), *model.programs(adapters)])


def at_marks(found: Json) -> Json:
    """Of each mark what is held then, and of the loads since the mark before it the median time and the last counts."""
    loads = found["loads"]
    start = found["start"]

    def each(read: Callable[[Json], float]) -> list[float]:
        return [read(loads[mark]) for mark in MARKS]

    def added(name: str) -> list[int]:
        return [
            loads[k]["cache"][name] - (loads[k - 1]["cache"][name] if k > 0 else 0) for k in MARKS
        ]

    since = [0] + [mark + 1 for mark in MARKS[:-1]]
    return {
        "load_ms": [
            round(statistics.median(load["load_ms"] for load in loads[first : mark + 1]), 3)
            for first, mark in zip(since, MARKS)
        ],
        "loaded_anonymous_bytes": each(
            lambda load: load["loaded"]["anonymous_bytes"] - start["anonymous_bytes"]
        ),
        "anonymous_bytes": each(
            lambda load: load["memory"]["anonymous_bytes"] - start["anonymous_bytes"]
        ),
        "file_bytes": each(lambda load: load["memory"]["file_bytes"] - start["file_bytes"]),
        "proportional_bytes": each(
            lambda load: load["memory"]["proportional_bytes"] - start["proportional_bytes"]
        ),
        "mappings": each(lambda load: load["system"]["mappings"]),
        "open_files": each(lambda load: load["system"]["open_files"]),
        "entries": each(lambda load: load["cache"]["entries"]),
        "cache_bytes": each(lambda load: load["cache"]["bytes"]),
        "hits_of_a_load": added("hits"),
        "misses_of_a_load": added("misses"),
        "locks_of_a_load": added("locks"),
    }


def opened(found: Json) -> Json:
    load = found["loads"][0]
    return {
        "load_ms": load["load_ms"],
        "anonymous_bytes": load["loaded"]["anonymous_bytes"],
        "file_entries": load["cache"]["file_entries"],
    }


def filled(found: Json) -> Json:
    return {
        "chunk": found["chunk"],
        "anonymous_bytes": [memory["anonymous_bytes"] for memory in found["memory"]],
    }


def points(driver: Driver, models: Sequence[Model]) -> dict[str, Callable[[], Json]]:
    """What is measured, by the names that figures.py asks for."""
    found: dict[str, Callable[[], Json]] = {}
    largest = models[-1]

    def add(
        name: str, scenario: str, threads: int, arguments: list[str], read: Callable[[Json], Json]
    ) -> None:
        found[name] = lambda: read(driver.run(scenario, threads, arguments))

    for mode in (IN_PLACE, PACKED, RETAINED, PACKED_FILE):
        for place in ("warm", "cold"):
            options = mode_options(mode, largest.packed_file(ADAPTERS)) + ["--cold"] * (
                place == "cold"
            )
            arguments = [*options, *largest.programs(2)]
            add(f"swap {mode}, {place}", "swap", 1, arguments, lambda result: result)
    for adapters in FILLED:
        options = mode_options(PACKED_FILE, largest.packed_file(adapters))
        add(f"opening {adapters}", "grow", 1, [*options, *largest.programs(0)], opened)
    for model in models:
        add(f"context {model.layers}", "context", 2, model.programs(0), filled)
        for mode in (IN_PLACE, PACKED, PACKED_FILE):
            for threads in THREADS:
                options = mode_options(mode, model.packed_file(ADAPTERS))
                name = f"grow {model.layers} layers, {mode}, {threads}"
                add(name, "grow", threads, [*options, *model.programs(ADAPTERS)], at_marks)
    return found


def read_results(path: Path, about: Json) -> Json:
    if path.exists():
        results: Json = json.loads(path.read_text(encoding="utf-8"))
        if all(results.get(name) == value for name, value in about.items()):
            return results
    return {**about, "points": {}}


def write_results(path: Path, results: Json) -> None:
    lines = [
        f'"{name}": {json.dumps(value)}' for name, value in results.items() if name != "points"
    ]
    found = [f'"{name}": {json.dumps(value)}' for name, value in results["points"].items()]
    lines.append('"points": {\n' + ",\n".join(found) + "\n}")
    path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def measure(
    driver: Driver, models: Sequence[Model], results: Json, rounds: int, end: float
) -> None:
    """Each point so many times, in rounds; each result is kept at once."""
    measured = results["points"]
    for index in range(rounds):
        for name, run in points(driver, models).items():
            if len(measured.setdefault(name, [])) > index:
                continue
            if time.monotonic() > end:
                print(f"scaling: time is up in round {index + 1}: {name} is next", flush=True)
                return
            measured[name].append(run())
            write_results(RESULTS, results)
    print(f"scaling: {rounds} rounds are in {RESULTS}", flush=True)


def make(driver: Driver, build: Path, models: Sequence[Model]) -> None:
    for model in models:
        model.make(build)
        fill(driver, model, ADAPTERS)
    for adapters in FILLED:
        fill(driver, models[-1], adapters)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=Path)
    parser.add_argument("folder", type=Path, help="of the models")
    parser.add_argument("--rounds", type=int, default=3, help="0: make the models alone")
    parser.add_argument(
        "--seconds", type=float, default=3600, help="after which no process is started"
    )
    options = parser.parse_args()
    driver = Driver(options.build)
    models = [Model(options.folder, layers) for layers in LAYERS]
    options.folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(options.folder).free < 10e9:
        raise SystemExit(f"{options.folder}: has less than 10 GB free")
    make(driver, options.build, models)
    about = {"machine": machine(), "features": features(), "rank": RANK, "marks": list(MARKS),
             "sizes": {str(model.layers): model.sizes() for model in models}}  # fmt: skip
    end = time.monotonic() + options.seconds
    measure(driver, models, read_results(RESULTS, about), options.rounds, end)


if __name__ == "__main__":
    main()
