"""What a process has of a file in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MappedBytes:
    resident: int
    """Pages of it that the process has used."""
    proportional: int
    """The same, each page divided by the number of processes that have it."""


def mapped_bytes(process: int, file: Path) -> MappedBytes:
    resident = proportional = 0
    is_of_file = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):  # a mapping: addresses, ..., file
            is_of_file = rest[-1:] == [str(file)]
        elif is_of_file and first == "Rss:":
            resident += int(rest[0]) * 1024
        elif is_of_file and first == "Pss:":
            proportional += int(rest[0]) * 1024
    return MappedBytes(resident, proportional)
