"""What this process has in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessMemory:
    anonymous_bytes: int
    """Its own."""
    file_bytes: int
    """Pages of files, which all processes share."""

    @staticmethod
    def now() -> ProcessMemory:
        fields = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        return ProcessMemory(_bytes_of(fields["RssAnon"]), _bytes_of(fields["RssFile"]))


def _bytes_of(size: str) -> int:
    return int(size.removesuffix("kB")) * 1024
