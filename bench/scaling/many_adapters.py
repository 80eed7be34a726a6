"""The simulation that docs/scaling.md asks for: many adapters on a machine that holds few, at measured costs."""

from __future__ import annotations

import dataclasses
import statistics
from functools import cache

from bench.scaling.figures import Figures
from bench.scaling.measure import ADAPTERS, IN_PLACE, PACKED, PACKED_FILE, RETAINED
from bench.scaling.simulate import Latency, Outcome, Policy, ZipfLaw, simulate

ADAPTER_COUNT, ROOM = 10_000, 200
EXPONENTS = (0.8, 1.0, 1.2)
REQUESTS, WARM_UP, SEED = 150_000, 50_000, 1
LAYERS, THREADS = 28, 1
# Beside what ROOM packed adapters take.
SPARE_BYTES = 4e9
MEMORY = (0, 2, 4, 8, 16, 32)  # GB
ROOMS = (50, 100, 200, 400, 1000, 2000, 5000)


def prompt_ms(figures: Figures, mode: str) -> float:
    """Of a prompt through a loaded adapter. How packed weights came to memory makes no difference to it."""
    modes = (IN_PLACE,) if mode == IN_PLACE else (PACKED, RETAINED, PACKED_FILE)
    return statistics.median(
        figures.swapped(of, place, "prompt_ms") for of in modes for place in ("warm", "cold")
    )


def latency(figures: Figures, mode: str) -> Latency:
    """The load and the prompt; what a first run takes more is less than what runs differ by."""
    warm, cold = (figures.swapped(mode, place, "load_ms") for place in ("warm", "cold"))
    prompt = prompt_ms(figures, mode)
    return Latency(prompt + warm, prompt + max(warm, cold))


def policies(figures: Figures, spare_bytes: float = SPARE_BYTES) -> list[Policy]:
    """Of equal memory: what ROOM packed adapters take, and so many bytes."""
    files = figures.size(LAYERS, "program") + figures.size(LAYERS, "data")
    packed_bytes = figures.per_adapter(LAYERS, PACKED, THREADS, "cache_bytes")

    def policy(name: str, mode: str, memory_bytes: float, page_bytes: float) -> Policy:
        return Policy(
            name=name,
            room=ROOM,
            memory_bytes=memory_bytes,
            hit_ms=prompt_ms(figures, mode),
            load=latency(figures, mode),
            loaded_bytes=figures.per_adapter(LAYERS, mode, THREADS, "anonymous_bytes"),
            page_bytes=page_bytes,
            runs_read_pages=mode != PACKED,
        )

    memory = ROOM * figures.per_adapter(LAYERS, PACKED, THREADS, "anonymous_bytes") + spare_bytes
    packed = policy("packed", PACKED, memory, files)
    return [
        policy("in place", IN_PLACE, memory, files),
        packed,
        dataclasses.replace(
            packed,
            name="packed, spare memory retained",
            retained_limit=spare_bytes,
            retained_bytes=packed_bytes,
            reload=latency(figures, RETAINED),
        ),
        dataclasses.replace(
            policy(
                "packed file", PACKED_FILE, memory, packed_bytes + figures.size(LAYERS, "program")
            ),
            first_load=packed.load,  # without the append, which writes the file's whole directory
        ),
    ]


@cache
def requests(exponent: float) -> tuple[int, ...]:
    return tuple(ZipfLaw(ADAPTER_COUNT, exponent).requests(REQUESTS, SEED))


def outcome(policy: Policy, exponent: float) -> Outcome:
    return simulate(policy, requests(exponent), WARM_UP)


def hit_rate(room: int, exponent: float) -> float:
    """Of so many loaded adapters, whatever they cost."""
    free = Latency(0, 0)
    return outcome(
        Policy(
            "", room, 0, hit_ms=0, load=free, loaded_bytes=0, page_bytes=1, runs_read_pages=False
        ),
        exponent,
    ).hit_rate


def directory_bytes(figures: Figures) -> float:
    """Of a packed file's directory, for each adapter: an entry of 224 bytes and, of each weight, a hash of 72."""
    entries = (
        figures.opened(ADAPTERS, "file_entries") - figures.opened(0, "file_entries")
    ) / ADAPTERS
    return entries * (224 + 72)
