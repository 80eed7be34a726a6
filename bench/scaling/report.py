"""Writes docs/scaling.md and its plots, of bench/results/scaling.json.

    python3 -m bench.scaling.report

in the repository's root. The text around the figures is in report.md.in beside this file: {name} stands for a table or
a number of numbers().
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.scaling import many_adapters, plots
from bench.scaling.figures import Figures
from bench.scaling.measure import (
    ADAPTERS,
    CONTEXT,
    IN_PLACE,
    PACKED,
    PACKED_FILE,
    RANK,
    RESULTS,
    RETAINED,
    THREADS,
)
from bench.scaling.simulate import Source, ZipfLaw

DOCS = Path("docs")
TEMPLATE = Path(__file__).with_name("report.md.in")
MODES = (IN_PLACE, PACKED, PACKED_FILE)
MAX_MAP_COUNT = 65_530
# The hash table and the tree, least and most: bench/README.md.
LOOK_UP_AMONG_100_000_US = (0.277 + 1.7, 0.429 + 2.4)


def short(value: float) -> str:
    digits = 0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2
    return f"{value:,.{digits}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def both_threads(figures: Figures, layers: int, mode: str, index: int) -> str:
    return " / ".join(
        short(figures.grown(layers, mode, threads, "load_ms")[index]) for threads in THREADS
    )


def load_table(figures: Figures) -> str:
    rows = [
        [f"{layers} layers, {what}"]
        + [both_threads(figures, layers, mode, index) for mode in MODES]
        for what, index in (("the base", 0), ("adapter 1", 1), (f"adapters 33 to {ADAPTERS}", -1))
        for layers in figures.layers
    ]
    return table(["ms, 1 thread / 2 threads", *MODES], rows)


def memory_table(figures: Figures) -> str:
    rows = []
    for layers in figures.layers:
        for what, read in (("base", figures.of_the_base), ("each adapter", figures.per_adapter)):
            cells = [
                " / ".join(
                    short(read(layers, mode, 1, name) / 1e6)
                    for name in ("anonymous_bytes", "file_bytes")
                )
                for mode in MODES
            ]
            rows.append([f"{layers} layers, {what}", *cells])
    return table(["MB, anonymous / of files", *MODES], rows)


def look_up_table(figures: Figures) -> str:
    rows = []
    for layers in figures.layers:
        cells = [str(layers)]
        for mode in (IN_PLACE, PACKED):
            cells += [
                f"{figures.of_the_last(layers, mode, 1, name):.0f}"
                for name in ("hits_of_a_load", "misses_of_a_load", "locks_of_a_load")
            ]
        rows.append(cells)
    head = [
        "layers",
        *(f"{mode}, {what}" for mode in (IN_PLACE, PACKED) for what in ("found", "new", "locks")),
    ]
    return table(head, rows)


def swap_table(figures: Figures) -> str:
    rows = []
    for mode in (IN_PLACE, PACKED, RETAINED, PACKED_FILE):
        times = [
            figures.swapped(mode, place, name)
            for place in ("warm", "cold")
            for name in ("load_ms", "first_token_ms")
        ]
        packed = figures.swapped(mode, "warm", "added_by_the_last_load", "packed_bytes")
        prompt = figures.swapped(mode, "warm", "prompt_ms")
        rows.append([mode, *(short(value) for value in (prompt, *times, packed / 1e6))])
    head = [
        "ms",
        "first token, loaded",
        "load, warm",
        "first token, warm",
        "load, cold",
        "first token, cold",
        "MB packed",
    ]
    return table(head, rows)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def simulation_table(figures: Figures) -> str:
    rows = []
    for exponent in many_adapters.EXPONENTS:
        for policy in many_adapters.policies(figures):
            outcome = many_adapters.outcome(policy, exponent)
            at_hand = outcome.shares[Source.RETAINED] + outcome.shares[Source.PAGES]
            rows.append(
                [
                    f"s = {exponent}, {policy.name}",
                    percent(outcome.hit_rate),
                    percent(at_hand),
                    percent(outcome.shares[Source.DISK] + outcome.shares[Source.NOWHERE]),
                    short(outcome.mean_ms),
                    short(outcome.p50_ms),
                    short(outcome.p99_ms),
                    f"{outcome.anonymous_bytes / 1e9:.2f}",
                    f"{outcome.page_cache_bytes / 1e9:.2f}",
                ]
            )
    head = [
        "",
        "% loaded",
        "% in memory, not loaded",
        "% from the disk",
        "mean, ms",
        "median",
        "99 %",
        "GB anonymous",
        "GB of pages",
    ]
    return table(head, rows)


def room_table() -> str:
    rows = [
        [f"{room:,}"]
        + [percent(many_adapters.hit_rate(room, exponent)) for exponent in many_adapters.EXPONENTS]
        for room in (*many_adapters.ROOMS, many_adapters.ADAPTER_COUNT)
    ]
    return table(["loaded", *(f"s = {exponent}" for exponent in many_adapters.EXPONENTS)], rows)


def limits_table(figures: Figures) -> str:
    layers = many_adapters.LAYERS
    rows = []
    for mode in MODES:
        mappings, files, anonymous, pages, entries = (
            figures.per_adapter(layers, mode, 1, name)
            for name in ("mappings", "open_files", "anonymous_bytes", "file_bytes", "entries")
        )
        rows.append(
            [
                mode,
                short(mappings),
                f"{files:.0f}",
                f"{entries:.0f}",
                short(anonymous / 1e6),
                short(pages / 1e6),
                f"{MAX_MAP_COUNT / mappings:,.0f}",
                f"{many_adapters.ADAPTER_COUNT * anonymous / 1e9:,.1f}",
            ]
        )
    head = ["each loaded adapter", "mappings", "open files", "entries", "MB anonymous", "MB of files",
            f"adapters at {MAX_MAP_COUNT:,} mappings", "GB anonymous of 10,000"]  # fmt: skip
    return table(head, rows)


def later_loads(figures: Figures, mode: str, threads: int) -> list[float]:
    """At the marks from the second adapter on: the first one brings structures that are new."""
    return figures.grown(many_adapters.LAYERS, mode, threads, "load_ms")[figures.marks.index(2) :]


def growth_of_loads(figures: Figures, threads: int) -> str:
    """In each mode, the last adapters' time as a multiple of that of the second to the eighth."""
    early = figures.marks.index(8) - figures.marks.index(2) + 1
    loads = [later_loads(figures, mode, threads) for mode in MODES]
    return ", ".join(f"{load[-1] / statistics.median(load[:early]):.2f}" for load in loads)


def base_memory(figures: Figures, mode: str) -> str:
    return " and ".join(
        short(figures.of_the_base(many_adapters.LAYERS, mode, 1, name) / 1e6)
        for name in ("anonymous_bytes", "file_bytes")
    )


def look_ups_of_a_load(figures: Figures) -> float:
    return sum(
        figures.of_the_last(many_adapters.LAYERS, IN_PLACE, 1, name)
        for name in ("hits_of_a_load", "misses_of_a_load")
    )


def notes_on_times(figures: Figures) -> dict[str, str]:
    look_ups = look_ups_of_a_load(figures)
    noise = [figures.grown(16, PACKED, threads, "load_ms")[-1] for threads in THREADS]
    humps = [
        ", ".join(short(ms) for ms in later_loads(figures, PACKED, threads)) for threads in THREADS
    ]
    return {
        "noise_one": short(noise[0]),
        "noise_two": short(noise[1]),
        "growth_one": growth_of_loads(figures, 1),
        "growth_two": growth_of_loads(figures, 2),
        "hump_one": humps[0],
        "hump_two": humps[1],
        "in_place_load": short(figures.swapped(IN_PLACE, "warm", "load_ms")),
        "retained_load": short(figures.swapped(RETAINED, "warm", "load_ms")),
        "look_ups": f"{look_ups:.0f}",
        "look_ups_ms": " to ".join(short(look_ups * us / 1e3) for us in LOOK_UP_AMONG_100_000_US),
    }


def numbers(figures: Figures) -> dict[str, str]:
    layers = many_adapters.LAYERS
    files = figures.size(layers, "program") + figures.size(layers, "data")
    anonymous = figures.per_adapter(layers, IN_PLACE, 1, "anonymous_bytes")
    token = figures.bytes_per_token(layers)
    directory = many_adapters.directory_bytes(figures)
    entries = [figures.opened(adapters, "file_entries") for adapters in (0, ADAPTERS)]
    heap = figures.opened(ADAPTERS, "anonymous_bytes") - figures.opened(0, "anonymous_bytes")
    each_heap = heap / ADAPTERS
    count = many_adapters.ADAPTER_COUNT
    entries_per_adapter = figures.per_adapter(layers, IN_PLACE, 1, "entries")
    return {
        "machine": figures.machine,
        "rounds": str(figures.rounds),
        "rank": str(RANK),
        "context": str(CONTEXT),
        "adapter_mb": short(files / 1e6),
        "program_mb": short(figures.size(layers, "program") / 1e6),
        "foundation_mb": short(figures.size(layers, "foundation") / 1e6),
        "base_in_place": base_memory(figures, IN_PLACE),
        "base_packed": base_memory(figures, PACKED),
        "base_packed_file": base_memory(figures, PACKED_FILE),
        "all_files_gb": short(count * files / 1e9),
        "packed_file_mb": short(figures.size(layers, f"packed file of {ADAPTERS}") / 1e6),
        "anonymous_mb": short(anonymous / 1e6),
        "token_kb": short(token / 1e3),
        "context_mb": short(CONTEXT * token / 1e6),
        "contexts_gb": short(many_adapters.ROOM * CONTEXT * token / 1e9),
        "loaded_gb": short(many_adapters.ROOM * anonymous / 1e9),
        "loaded_of_contexts": short(CONTEXT * token / anonymous),
        "directory_kb": short(directory / 1e3),
        "directory_gb": short(count * directory / 1e9),
        "entries_few": f"{entries[0]:,.0f}",
        "entries_many": f"{entries[1]:,.0f}",
        "opening_gb": short(count * each_heap / 1e9),
        "entries_of_all": f"{count * (entries[1] - entries[0]) / ADAPTERS / 1e6:.1f}",
        "entry_bytes": f"{heap / (entries[1] - entries[0]):.0f}",
        "entries_of_all_loaded": f"{count * entries_per_adapter / 1e6:.2f}",
        **notes_on_times(figures),
        "best_hit_rate": percent(ZipfLaw(count, 1.0).of_the_first(many_adapters.ROOM)),
        "hit_rate": percent(many_adapters.hit_rate(many_adapters.ROOM, 1.0)),
        "load_table": load_table(figures),
        "memory_table": memory_table(figures),
        "look_up_table": look_up_table(figures),
        "swap_table": swap_table(figures),
        "simulation_table": simulation_table(figures),
        "room_table": room_table(),
        "limits_table": limits_table(figures),
    }


def main() -> None:
    figures = Figures(RESULTS)
    page = TEMPLATE.read_text(encoding="utf-8").format(**numbers(figures))
    (DOCS / "scaling.md").write_text(page, encoding="utf-8")
    pictures = {
        "load": plots.load_times,
        "memory": plots.memory,
        "look_ups": plots.look_ups,
        "simulation": plots.simulation,
    }
    for name, draw in pictures.items():
        (DOCS / f"scaling_{name}.svg").write_text(draw(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
