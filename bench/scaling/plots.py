"""The pictures of docs/scaling.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.peer.svg import PANEL_HEIGHT, PANEL_WIDTH, Points, svg_lines, svg_start
from bench.scaling import many_adapters
from bench.scaling.figures import Figures
from bench.scaling.measure import IN_PLACE, PACKED, PACKED_FILE
from bench.scaling.simulate import Outcome, Policy, Source

MODES = (IN_PLACE, PACKED, PACKED_FILE)
LEFT, TOP, LEGEND, STEP = 60, 36, 240, PANEL_HEIGHT + 76


class Panel(NamedTuple):
    title: str
    series: Mapping[str, Points]
    ticks: Sequence[float]


def picture(title: str, panels: Sequence[Panel]) -> str:
    """Panels in two columns."""
    column = LEFT + PANEL_WIDTH + LEGEND
    parts = svg_start(2 * column, TOP + (len(panels) + 1) // 2 * STEP, title)
    for index, panel in enumerate(panels):
        left, top = LEFT + index % 2 * column, TOP + index // 2 * STEP
        parts += svg_lines(left, top, panel.title, panel.series, panel.ticks)
    return "\n".join([*parts, "</svg>", ""])


def over_adapters(figures: Figures, layers: int, mode: str, name: str, unit: float) -> Points:
    values = figures.grown(layers, mode, 1, name)
    return [
        (mark, value / unit) for mark, value in zip(figures.marks, values, strict=True) if mark > 0
    ]


def load_times(figures: Figures) -> str:
    adapters = [mark for mark in figures.marks if mark >= 8]
    panels = [
        Panel(
            f"ms of the load of adapter 1 to {figures.marks[-1]}, {mode}, 1 thread",
            {
                f"{layers} layers": over_adapters(figures, layers, mode, "load_ms", 1)
                for layers in figures.layers
            },
            adapters,
        )
        for mode in MODES
    ]
    panels += [
        Panel(
            f"ms of {what} by layers",
            {
                f"{mode}, {threads} thread{'' if threads == 1 else 's'}": [
                    (layers, figures.grown(layers, mode, threads, "load_ms")[index])
                    for layers in figures.layers
                ]
                for mode in modes
                for threads in (1, 2)
            },
            figures.layers,
        )
        for what, index, modes in (
            ("the base's load", 0, MODES),
            ("the last adapter's load", -1, MODES),
            ("the base's load, without packing,", 0, (IN_PLACE, PACKED_FILE)),
        )
    ]
    return picture("Load times", panels)


def memory(figures: Figures) -> str:
    adapters = [mark for mark in figures.marks if mark >= 8]
    largest = figures.layers[-1]

    def panel(title: str, name: str, unit: float) -> Panel:
        return Panel(
            f"{title} by adapters, {largest} layers",
            {mode: over_adapters(figures, largest, mode, name, unit) for mode in MODES},
            adapters,
        )

    by_layers = Panel(
        "MB of anonymous memory that an adapter adds, by layers",
        {
            mode: [
                (n, figures.per_adapter(n, mode, 1, "anonymous_bytes") / 1e6)
                for n in figures.layers
            ]
            for mode in MODES
        },
        figures.layers,
    )
    context = Panel(
        "KB of a context, for each token, by layers",
        {"KV cache": [(n, figures.bytes_per_token(n) / 1e3) for n in figures.layers]},
        figures.layers,
    )
    return picture(
        "Memory: a base and 1 to 64 adapters, each loaded and run",
        [
            panel("MB anonymous", "anonymous_bytes", 1e6),
            panel("MB of files' pages", "file_bytes", 1e6),
            by_layers,
            context,
            panel("Mappings", "mappings", 1),
            panel("Open files", "open_files", 1),
        ],
    )


def look_ups(figures: Figures) -> str:
    def by_layers(title: str, mode: str) -> Panel:
        names = {
            "found": "hits_of_a_load",
            "not found": "misses_of_a_load",
            "locks": "locks_of_a_load",
        }
        return Panel(
            f"{title}, {mode}, by layers",
            {
                text: [(n, figures.of_the_last(n, mode, 1, name)) for n in figures.layers]
                for text, name in names.items()
            },
            figures.layers,
        )

    largest = figures.layers[-1]
    adapters = [mark for mark in figures.marks if mark >= 8]
    locks = Panel(
        f"Locks of an adapter's load by adapters that are there, {largest} layers",
        {mode: over_adapters(figures, largest, mode, "locks_of_a_load", 1) for mode in MODES},
        adapters,
    )
    entries = Panel(
        f"Entries of the cache by adapters, {largest} layers",
        {mode: over_adapters(figures, largest, mode, "entries", 1) for mode in MODES},
        adapters,
    )
    return picture(
        "Look-ups in the cache",
        [*(by_layers("Of an adapter's load", mode) for mode in (IN_PLACE, PACKED)), locks, entries],
    )


def simulation(figures: Figures) -> str:
    by_memory = {
        spare: many_adapters.policies(figures, spare * 1e9) for spare in many_adapters.MEMORY
    }
    names = [policy.name for policy in by_memory[0]]

    def over_memory(title: str, exponent: float, read: Callable[[Policy, Outcome], float]) -> Panel:
        def points(index: int) -> Points:
            at = [(spare, policies[index]) for spare, policies in by_memory.items()]
            return [
                (spare, read(policy, many_adapters.outcome(policy, exponent)))
                for spare, policy in at
            ]

        return Panel(
            f"{title}, s = {exponent}, by GB of spare memory",
            {name: points(index) for index, name in enumerate(names)},
            many_adapters.MEMORY,
        )

    rates = Panel(
        "Hit rate in % by adapters that are loaded",
        {
            f"s = {exponent}": [
                (room, 100 * many_adapters.hit_rate(room, exponent)) for room in many_adapters.ROOMS
            ]
            for exponent in many_adapters.EXPONENTS
        },
        (200, 1000, 2000, 5000),
    )
    return picture(
        "10,000 adapters, 200 loaded",
        [
            rates,
            over_memory(
                "% from the disk", 1.0, lambda _, outcome: 100 * outcome.shares[Source.DISK]
            ),
            *(
                over_memory(
                    "Mean ms that loads add to a first token",
                    exponent,
                    lambda policy, outcome: outcome.mean_ms - policy.hit_ms,
                )
                for exponent in (0.8, 1.0)
            ),
        ],
    )
