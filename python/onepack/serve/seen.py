"""Which beginnings of prompts were read before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

_MOST = 4096


class SeenBeginnings:
    """Of whole chunks, as digests. Those that were met least recently are forgotten.

    Threads: belongs to one at a time.
    """

    def __init__(self, chunk: int, most: int = _MOST) -> None:
        self._chunk = chunk
        self._most = most
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, prompt: Sequence[int]) -> None:
        # The shortest comes last: it is what most prompts have in common.
        for _, digest in reversed(list(self._beginnings(prompt))):
            self._digests[digest] = None
            self._digests.move_to_end(digest)
        while len(self._digests) > self._most:
            self._digests.popitem(last=False)

    def longest(self, prompt: Sequence[int]) -> int:
        """Tokens of the longest beginning of ``prompt`` that is here. 0: none is."""
        found = (end for end, digest in self._beginnings(prompt) if digest in self._digests)
        return max(found, default=0)

    def _beginnings(self, prompt: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        so_far = hashlib.blake2b(digest_size=16)
        for end in range(self._chunk, len(prompt) + 1, self._chunk):
            so_far.update(repr(tuple(prompt[end - self._chunk : end])).encode())
            yield end, so_far.digest()
