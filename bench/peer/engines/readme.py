"""The lines of README.md that name figures of this benchmark: on one thread of a processor with AVX2."""

from __future__ import annotations

import re
import statistics

from .figures import AGAINST, TABLES, Figure
from .page import of_one
from .peers import OWN, TITLES
from .records import Results

KIND = "avx2"
# How a line's title begins, whatever was measured before; how it goes on; title of the figure.
LINES = (
    ("tokens per second, generation", " after 500 tokens", "generation after 500, 1 thread"),
    ("tokens per second, prompt", " of 128", "prompt of 128, 1 thread"),
)


def figure_of(title: str) -> Figure:
    return next(figure for _, figures in TABLES for figure in figures if figure.title == title)


def line(title: str, figure: Figure, results: Results) -> str | None:
    """None where something has no result."""
    medians = {
        peer: statistics.median(values)
        for peer in (OWN, *AGAINST)
        if (values := of_one(figure, peer, results["turns"]))
    }
    if len(medians) < 1 + len(AGAINST):
        return None
    best = max(AGAINST, key=lambda peer: medians[peer])
    others = " and ".join(TITLES[peer] for peer in AGAINST if peer != best)
    return (
        f"| {title} | {medians[OWN]:.0f} | {medians[best]:.0f} | {TITLES[best]}, the better of it and "
        f"{others} ([engines.md](docs/engines.md)) |"
    )


def updated(text: str, recorded: dict[str, Results]) -> str:
    """With the lines as of the recorded results; without results as it is."""
    if KIND not in recorded:
        return text
    for beginning, rest, figure_title in LINES:
        found = line(beginning + rest, figure_of(figure_title), recorded[KIND])
        if found is not None:
            old = re.compile(rf"^\| {re.escape(beginning)}\b.*$", re.MULTILINE)
            text = old.sub(found.replace("\\", r"\\"), text)
    return text
