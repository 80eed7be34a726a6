"""How much memory this process may have: that of the machine, or of its control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS_OF_PROCESS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def memory_limit(groups_of_process: Path = _GROUPS_OF_PROCESS, groups: Path = _GROUPS) -> int:
    """Bytes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits_of_groups(groups_of_process, groups)])


def _limits_of_groups(groups_of_process: Path, groups: Path) -> Iterator[int]:
    """Of the process' own group and of those around it."""
    for line in (_text_of(groups_of_process) or "").splitlines():
        _, controllers, name = line.split(":", 2)
        if not controllers:  # version 2
            root, file = groups, "memory.max"
        elif "memory" in controllers.split(","):
            root, file = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # A container may not see its own group by name, and then sees it as the root.
        own = root / name.lstrip("/")
        for folder in (own, *own.parents):
            if folder == root or root in folder.parents:
                limit = (_text_of(folder / file) or "").strip()
                if limit.isdigit():  # else it says "max", or the file is not there
                    yield int(limit)


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None
