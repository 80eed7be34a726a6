"""Requests to many adapters on a machine that holds some of them: what is there, and what a first token takes.

Time is in requests: the next one begins when the last one has ended, so a latency is what the request itself takes,
without a queue. What is loaded, what is retained and what is in the page cache is each dropped least recently used
first. Costs come from measurements (measure.py).
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum


class ZipfLaw:
    """Adapter k of `count`, from 0, is asked for with a probability in proportion to 1 / (k + 1) ** exponent."""

    def __init__(self, count: int, exponent: float) -> None:
        self._cumulative: list[float] = list(
            itertools.accumulate((k + 1) ** -exponent for k in range(count))
        )

    def probability(self, adapter: int) -> float:
        before = self._cumulative[adapter - 1] if adapter > 0 else 0.0
        return (self._cumulative[adapter] - before) / self._cumulative[-1]

    def of_the_first(self, count: int) -> float:
        """The share of requests to the `count` adapters that are asked for most."""
        return self._cumulative[count - 1] / self._cumulative[-1]

    def draw(self, source: random.Random) -> int:
        return bisect.bisect_right(self._cumulative, source.random() * self._cumulative[-1])

    def requests(self, number: int, seed: int) -> Iterator[int]:
        source = random.Random(seed)
        return (self.draw(source) for _ in range(number))


class Lru:
    """Things of one size each, up to a limit; the least recently used go first."""

    def __init__(self, limit: float, size: float = 1) -> None:
        self._room = math.inf if math.isinf(limit) else int(limit // size)
        self._size = size
        self._things: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, thing: int) -> bool:
        return thing in self._things

    @property
    def count(self) -> int:
        return len(self._things)

    @property
    def total(self) -> float:
        return self.count * self._size

    def use(self, thing: int) -> list[int]:
        """It is there now, the most recent one. Returns what has gone for it."""
        self._things[thing] = None
        self._things.move_to_end(thing)
        gone = []
        while len(self._things) > self._room:
            gone.append(self._things.popitem(last=False)[0])
        return gone

    def take(self, thing: int) -> bool:
        """Takes it out. Returns whether it was there."""
        if thing not in self._things:
            return False
        del self._things[thing]
        return True


class Source(Enum):
    """Where a request found its adapter."""

    LOADED = "loaded"
    RETAINED = "retained"  # its packed weights were in memory
    PAGES = "page cache"
    DISK = "disk"
    NOWHERE = "first use"  # packed for the packed file


@dataclass(frozen=True)
class Latency:
    """Of a first token, in ms, by where the pages of the adapter's files are."""

    warm: float
    cold: float

    def of(self, is_warm: bool) -> float:
        return self.warm if is_warm else self.cold


@dataclass(frozen=True)
class Policy:
    """How adapters are kept, and what that costs. `memory_bytes` is for all that is of adapters alone: what is loaded
    takes its part for the whole of `room`, `retained_limit` its own, and the page cache has the rest."""

    name: str
    room: int  # adapters that are loaded
    memory_bytes: float
    hit_ms: float
    load: Latency
    loaded_bytes: float  # anonymous, of one adapter
    page_bytes: float  # that a load reads
    runs_read_pages: bool  # weights are the pages of a file
    retained_limit: float = 0
    retained_bytes: float = 1  # of one adapter, without the rest of what is loaded
    reload: Latency = field(default_factory=lambda: Latency(0, 0))  # over retained weights
    first_load: Latency | None = None  # where that is another one than later loads

    @property
    def page_limit(self) -> float:
        return max(0.0, self.memory_bytes - self.room * self.loaded_bytes - self.retained_limit)


class Server:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._loaded = Lru(policy.room)
        self._retained = Lru(policy.retained_limit, policy.retained_bytes)
        self._pages = Lru(policy.page_limit, policy.page_bytes)
        self._known: set[int] = set()

    def serve(self, adapter: int) -> tuple[Source, float]:
        """Where the adapter was, and the latency of its first token in ms."""
        policy = self._policy
        is_loaded = adapter in self._loaded
        dropped = self._loaded.use(adapter)
        was_retained = self._retained.take(adapter)
        for other in dropped:
            self._retained.use(other)
        is_warm = adapter in self._pages
        if not is_loaded or policy.runs_read_pages:
            self._pages.use(adapter)
        if is_loaded:
            missed = policy.runs_read_pages and not is_warm
            return Source.LOADED, policy.hit_ms + (
                policy.load.cold - policy.load.warm if missed else 0
            )
        if was_retained:
            return Source.RETAINED, policy.reload.of(is_warm)
        if policy.first_load is not None and adapter not in self._known:
            self._known.add(adapter)
            return Source.NOWHERE, policy.first_load.of(is_warm)
        return (Source.PAGES if is_warm else Source.DISK), policy.load.of(is_warm)

    @property
    def anonymous_bytes(self) -> float:
        return self._loaded.count * self._policy.loaded_bytes + self._retained.total

    @property
    def page_cache_bytes(self) -> float:
        return self._pages.total


def percentile(sorted_numbers: Sequence[float], share: float) -> float:
    """The least number that `share` of them do not exceed."""
    return sorted_numbers[max(0, math.ceil(share * len(sorted_numbers)) - 1)]


@dataclass(frozen=True)
class Outcome:
    shares: dict[Source, float]  # of requests
    mean_ms: float
    p50_ms: float
    p99_ms: float
    anonymous_bytes: float
    page_cache_bytes: float

    @property
    def hit_rate(self) -> float:
        return self.shares[Source.LOADED]


def simulate(policy: Policy, requests: Iterable[int], warm_up: int = 0) -> Outcome:
    """The first `warm_up` requests are served and not counted."""
    server = Server(policy)
    served = [server.serve(adapter) for adapter in requests][warm_up:]
    sources = Counter(source for source, _ in served)
    latencies = sorted(latency for _, latency in served)
    return Outcome(
        shares={source: sources[source] / len(served) for source in Source},
        mean_ms=sum(latencies) / len(latencies),
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        anonymous_bytes=server.anonymous_bytes,
        page_cache_bytes=server.page_cache_bytes,
    )
