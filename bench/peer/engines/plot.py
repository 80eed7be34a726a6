"""Tokens per second of all peers as bars."""

import statistics

from svg import svg_bar, svg_start

from .figures import TABLES, Figure
from .peers import EXECUTORCH, OWN, PEERS, TITLES
from .records import Results, Turn

COLOURS = {OWN: "#3a7d44", "llama": "#8a8f98", "genai": "#b4b8bf", EXECUTORCH: "#d3d6db"}
LEFT, LONGEST, BAR, STEP, GAP = 150, 420, 13, 16, 14
TITLE_HEIGHT = 24
WIDTH = LEFT + LONGEST + 70


def medians(figure: Figure, turns: list[Turn]) -> dict[str, float]:
    found = {}
    for peer in PEERS:
        values = [value for value in (figure.of(turn, peer) for turn in turns) if value is not None]
        if values:
            found[peer] = statistics.median(values)
    return found


def svg(results: Results) -> str:
    _, figures = TABLES[0]
    parts: list[str] = []
    top = 30
    for figure in figures:
        found = medians(figure, results["turns"])
        if not found:
            continue
        parts.append(
            f'<text x="12" y="{top + 14}" font-weight="bold" fill="#444">{figure.title}</text>'
        )
        top += TITLE_HEIGHT
        for peer, value in found.items():
            length = value / max(found.values()) * LONGEST
            parts += svg_bar(LEFT, top, length, BAR, COLOURS[peer], TITLES[peer], f"{value:.3g}")
            top += STEP
        top += GAP
    head = svg_start(WIDTH, top, "Tokens per second: longer is better")
    return "\n".join(head + parts + ["</svg>", ""])
