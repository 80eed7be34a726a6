"""What is run: scenarios of bench/peer/language_model_scenarios.h, each for every peer in a process of its own."""

import dataclasses

BASE = None
THREADS = (1, 2)
RANKS = (4, 16, 64)
# After which generation is measured, by the number of threads: one thread would read the longest for a fifth of a turn.
CONTEXTS = {1: (0, 500), 2: (0, 500, 1800)}


@dataclasses.dataclass(frozen=True)
class Scenario:
    key: str  # in results
    name: str  # the driver's
    programs: tuple[tuple[int, int] | None, ...]  # BASE, or rank and number of an adapter
    threads: int = 1
    cold: bool = False  # its files are dropped from the page cache first


SCENARIOS = (
    Scenario("start", "start", (BASE, (4, 0), (4, 1), (4, 2))),
    Scenario("start_cold", "start", (BASE,), cold=True),
    *(Scenario(f"speed_{threads}", "speed", (BASE,), threads) for threads in THREADS),
    Scenario("adapters", "adapters", (BASE, *((rank, 0) for rank in RANKS))),
    Scenario("switch", "switch", ((4, 0), (4, 1))),
    Scenario("together", "together", ((4, 0), (4, 1))),
    *(Scenario(f"busy_{threads}", "busy", (BASE,), threads) for threads in THREADS),
)
