#!/usr/bin/env python3
"""Draws the first table of docs/engines.md as bars: docs/engines.svg.

    python3 bench/peer/plot_engines.py

Nothing but the page is read, so the picture shows what the page says.
"""

import pathlib
import re

from engines import GENAI, LLAMA
from report import COLOURS, svg_bar, svg_start

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
BARS = {"onepack, in place": COLOURS["onepack"], "onepack, packed": "#9fc5a6", GENAI: "#b4b8bf",
        LLAMA: COLOURS["executorch"]}
LEFT, LONGEST, BAR, STEP, GAP = 150, 420, 13, 16, 14


def rows_of_first_table(page):
    lines = page[page.index("| figure |"):].split("\n\n")[0].splitlines()
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def median(cell):
    return float(re.match(r"\*\*([0-9.]+)\*\*", cell).group(1))


def groups(page):
    """{(figure, threads): {engine: tokens per second}}, in the order of the page."""
    found = {}
    for figure, threads, name, ours, llama_cpp, genai, _ in rows_of_first_table(page):
        group = found.setdefault((figure, threads), {})
        group.update({name: median(ours), LLAMA: median(llama_cpp), GENAI: median(genai)})
    return found


def draw(found):
    height = 30 + sum(24 + len(BARS) * STEP + GAP for _ in found)
    parts, top = svg_start(LEFT + LONGEST + 50, height, "Tokens per second: longer is better"), 30
    for (figure, threads), speeds in found.items():
        title = f"{figure}, {threads} thread{'' if threads == '1' else 's'}"
        parts.append(f'<text x="12" y="{top + 14}" font-weight="bold" fill="#444">{title}</text>')
        top += 24
        for engine, colour in BARS.items():
            length = speeds[engine] / max(speeds.values()) * LONGEST
            parts += svg_bar(LEFT, top, length, BAR, colour, engine, f"{speeds[engine]:g}")
            top += STEP
        top += GAP
    return "\n".join(parts + ["</svg>", ""])


def main():
    page = (DOCS / "engines.md").read_text(encoding="utf-8")
    (DOCS / "engines.svg").write_text(draw(groups(page)), encoding="utf-8")


if __name__ == "__main__":
    main()
