"""Tokens per second of all peers as bars."""

import statistics

from .figures import TABLES, Figure
from .peers import EXECUTORCH, OWN, PEERS, TITLES
from .records import Results, Turn

COLOURS = {OWN: "#3a7d44", "llama": "#8a8f98", "genai": "#b4b8bf", EXECUTORCH: "#d3d6db"}
LEFT, LONGEST, BAR, STEP, GAP = 150, 420, 13, 16, 14
TITLE_HEIGHT = 24
WIDTH = LEFT + LONGEST + 70
FONT = 'font-family="sans-serif" font-size="12"'


def medians(figure: Figure, turns: list[Turn]) -> dict[str, float]:
    found = {}
    for peer in PEERS:
        values = [value for value in (figure.of(turn, peer) for turn in turns) if value is not None]
        if values:
            found[peer] = statistics.median(values)
    return found


def bar(top: int, peer: str, value: float, longest: float) -> list[str]:
    length = value / longest * LONGEST
    return [
        f'<text x="{LEFT - 8}" y="{top + 11}" text-anchor="end">{TITLES[peer]}</text>',
        f'<rect x="{LEFT}" y="{top}" width="{max(length, 1):.1f}" height="{BAR}" fill="{COLOURS[peer]}"/>',
        f'<text x="{LEFT + length + 6:.1f}" y="{top + 11}">{value:.3g}</text>',
    ]


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
            parts += bar(top, peer, value, max(found.values()))
            top += STEP
        top += GAP
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" {FONT}>',
        f'<rect width="{WIDTH}" height="{top}" fill="white"/>',
        '<text x="12" y="20" font-weight="bold">Tokens per second: longer is better</text>',
    ]
    return "\n".join(head + parts + ["</svg>", ""])
