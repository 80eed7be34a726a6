"""Strings that end an answer."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Text that comes in pieces, up to the one of ``stops`` that is complete first, however the text is
    cut. What may be the beginning of one is held back until it is known, so that nothing of the one
    that ends the text is ever given out.

    Threads: belongs to one.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise ValueError("an empty stop string")
        self._stops = tuple(stops)
        self._held = ""
        self.has_stopped = False

    def add(self, text: str) -> str:
        """What can be given out now; nothing after a stop string."""
        if self.has_stopped:
            return ""
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.has_stopped = True
            self._held = ""
            _, start = min(found)  # of several that end there the longest
            return text[:start]
        end = len(text) - self._beginning_at_the_end_of(text)
        self._held = text[end:]
        return text[:end]

    def finish(self) -> str:
        """What was held back, and has not become a stop string."""
        held, self._held = self._held, ""
        return held

    def _beginning_at_the_end_of(self, text: str) -> int:
        """How many characters at the end are the beginning of a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0
