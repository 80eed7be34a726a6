"""Recorded results: a file for each kind of processor, a line for each scenario of each turn."""

import json
import pathlib
from typing import Any

from .processor import KINDS

# What a peer's program printed; or "error".
Result = dict[str, Any]
# By scenario and peer.
Turn = dict[str, dict[str, Result]]
# processor, flags, machine, versions; turns.
Results = dict[str, Any]

# Of a kind that was measured before there were such results: its section of the page, as text.
OLD_SECTION = "engines_{}.md"
RESULTS = "engines_{}.json"


def path_of(folder: pathlib.Path, kind: str) -> pathlib.Path:
    return folder / RESULTS.format(kind)


def read_all(folder: pathlib.Path) -> dict[str, Results]:
    found = {}
    for kind, _, _ in KINDS:
        path = path_of(folder, kind)
        if path.exists():
            found[kind] = json.loads(path.read_text(encoding="utf-8"))
    return found


def read_old_sections(folder: pathlib.Path) -> dict[str, str]:
    found = {}
    for kind, _, _ in KINDS:
        path = folder / OLD_SECTION.format(kind)
        if path.exists():
            found[kind] = path.read_text(encoding="utf-8")
    return found


def text_of(results: Results) -> str:
    head = {key: value for key, value in results.items() if key != "turns"}
    turns = []
    for turn in results["turns"]:
        scenarios = [
            f"{json.dumps(key)}: {json.dumps(found, sort_keys=True)}" for key, found in turn.items()
        ]
        turns.append("{\n" + ",\n".join(scenarios) + "\n}")
    return json.dumps(head)[:-1] + ', "turns": [\n' + ",\n".join(turns) + "\n]}\n"


def write(folder: pathlib.Path, results: Results) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path_of(folder, results["processor"]).write_text(text_of(results), encoding="utf-8")


def drop_old_section(folder: pathlib.Path, kind: str) -> None:
    (folder / OLD_SECTION.format(kind)).unlink(missing_ok=True)
