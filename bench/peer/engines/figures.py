"""Which figures are read from the scenarios' results, and what is aimed at."""

import dataclasses
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from .peers import EXECUTORCH, OTHERS, OWN, PEERS
from .records import Result, Turn
from .scenarios import CONTEXTS, RANKS, THREADS

Read = Callable[[Result], float]

MB = 1e6


@dataclasses.dataclass(frozen=True)
class Goal:
    """Of the ratio, ours / the better of the others; or, where it is `absolute`, of our figure itself."""

    bound: float
    absolute: bool = False


@dataclasses.dataclass(frozen=True)
class Figure:
    title: str
    scenario: str
    unit: str
    read: Read
    more_is_better: bool = False
    goal: Goal | None = None
    compared: bool = True  # a ratio says something

    def of(self, turn: Turn, peer: str) -> float | None:
        """None where the peer has no such result."""
        found = turn.get(self.scenario, {}).get(peer)
        return None if not found or "error" in found else self.read(found)

    def ratio(self, turn: Turn, others: tuple[str, ...]) -> float | None:
        """Ours / the best of the others, of one turn."""
        if not self.compared:
            return None
        own = self.of(turn, OWN)
        theirs = [value for value in (self.of(turn, peer) for peer in others) if value is not None]
        if own is None or not theirs:
            return None
        best = max(theirs) if self.more_is_better else min(theirs)
        return own / best if best > 0 else None

    def reaches(self, value: float) -> bool:
        assert self.goal is not None
        return value >= self.goal.bound if self.more_is_better else value <= self.goal.bound


def speed(title: str, scenario: str, read: Read) -> Figure:
    return Figure(title, scenario, "", read, more_is_better=True, goal=Goal(1.0))


def threads_text(threads: int) -> str:
    return f"{threads} thread{'' if threads == 1 else 's'}"


def at(*keys: str | int) -> Read:
    """What stands under the keys, one in the other."""

    def read(result: Result) -> float:
        found: Any = result
        for key in keys:
            found = found[key]
        return float(found)

    return read


def quotient(over: str, under: str) -> Read:
    return lambda result: float(result[over] / result[under])


def speeds() -> Iterator[Figure]:
    for threads in THREADS:
        for tokens in (16, 128, 512):
            yield speed(
                f"prompt of {tokens}, {threads_text(threads)}",
                f"speed_{threads}",
                at("prompts", str(tokens)),
            )
        for context in CONTEXTS[threads]:
            yield speed(
                f"generation after {context}, {threads_text(threads)}",
                f"speed_{threads}",
                at("generation", str(context)),
            )
    for threads in THREADS:
        yield speed(
            f"generation, every core busy with other work, {threads_text(threads)}",
            f"busy_{threads}",
            at("tokens_per_second"),
        )


def first_token_ms(result: Result) -> float:
    nanoseconds: int = result["programs"][0]["first_token_at_ns"] - result["started_at_ns"]
    return nanoseconds / 1e6


def megabytes(memory: dict[str, int], *kinds: str) -> float:
    return sum(memory[kind] for kind in kinds) / MB


RESIDENT = ("anonymous_bytes", "file_bytes")
# Of which engines that make a context at its full length hold more than those that grow it; and some make it later.
FIRST_TOKEN = (
    Figure(
        "resident memory after the first token",
        "start",
        "MB",
        lambda r: megabytes(r["programs"][0]["memory"], *RESIDENT),
        compared=False,
    ),
    Figure(
        "anonymous memory after the first token",
        "start",
        "MB",
        lambda r: megabytes(r["programs"][0]["memory"], "anonymous_bytes"),
        compared=False,
    ),
)
LONG_CONTEXT = (
    Figure(
        "resident memory with a context of 1,800, 2 threads",
        "speed_2",
        "MB",
        lambda r: megabytes(r["memory"], *RESIDENT),
        goal=Goal(1.0),
    ),
    Figure(
        "anonymous memory with a context of 1,800, 2 threads",
        "speed_2",
        "MB",
        lambda r: megabytes(r["memory"], "anonymous_bytes"),
    ),
)
START = (
    Figure("start to first token", "start", "ms", first_token_ms, goal=Goal(0.1)),
    Figure("the same, page cache cold", "start_cold", "ms", first_token_ms),
    *LONG_CONTEXT,
    *FIRST_TOKEN,
)


def further(read: Callable[[Result, Result], float]) -> Read:
    """The mean of the adapters after the first: `read` is given the program before, and the program."""

    def mean(result: Result) -> float:
        programs = result["programs"]
        return statistics.mean(read(programs[i - 1], programs[i]) for i in range(2, len(programs)))

    return mean


def added(moment: str) -> Read:
    return further(
        lambda before, program: (
            (program[moment]["anonymous_bytes"] - before["memory"]["anonymous_bytes"]) / MB
        )
    )


def slowdown(index: int) -> Read:
    """What an adapter takes off the base's tokens per second, in percent."""

    def percent(result: Result) -> float:
        speeds_of = result["tokens_per_second"]
        return float(1 - speeds_of[index] / speeds_of[0]) * 100

    return percent


ADAPTERS = (
    Figure(
        "load a further adapter",
        "start",
        "ms",
        further(lambda _, program: program["load_ms"]),
        goal=Goal(5, absolute=True),
    ),
    Figure(
        "anonymous memory that it takes, loaded",
        "start",
        "MB",
        added("loaded"),
        goal=Goal(0.1, absolute=True),
    ),
    Figure(
        "the same after its first token, with a context of its own", "start", "MB", added("memory")
    ),
    Figure(
        "first token of it, once loaded",
        "start",
        "ms",
        further(lambda _, program: program["first_token_ms"]),
    ),
    *(
        Figure(
            f"what an adapter of rank {rank} takes off the base's tokens per second",
            "adapters",
            "%",
            slowdown(index),
        )
        for index, rank in enumerate(RANKS, 1)
    ),
    *(
        Figure(
            f"generation with an adapter of rank {rank}, 1 thread",
            "adapters",
            "",
            at("tokens_per_second", index),
            more_is_better=True,
        )
        for index, rank in enumerate(RANKS, 1)
    ),
    Figure(
        "generation, another adapter for each token, 1 thread",
        "switch",
        "",
        at("switching_per_second"),
        more_is_better=True,
    ),
    Figure(
        "the same / one adapter alone",
        "switch",
        "",
        quotient("switching_per_second", "alone_per_second"),
        more_is_better=True,
    ),
    Figure(
        "generation, two adapters at once, a thread each",
        "together",
        "",
        at("together_per_second"),
        more_is_better=True,
    ),
    Figure(
        "the same / one adapter on one thread",
        "together",
        "",
        quotient("together_per_second", "alone_per_second"),
        more_is_better=True,
        goal=Goal(1.3, absolute=True),
    ),
)

# Title, figures.
TABLES = (
    ("Tokens per second", tuple(speeds())),
    ("Start and memory", START),
    ("Adapters", ADAPTERS),
)
AGAINST = OTHERS
BESIDES = (EXECUTORCH,)


def is_complete(turns: list[Turn]) -> bool:
    """Whether each figure of each peer has been measured."""
    return all(
        any(figure.of(turn, peer) is not None for turn in turns)
        for _, figures in TABLES
        for figure in figures
        for peer in PEERS
    )
