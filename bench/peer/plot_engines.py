#!/usr/bin/env python3
"""Draws the first table of docs/engines.md as bars: docs/engines.svg.

    python3 bench/peer/plot_engines.py

Nothing but the page is read, so the picture shows what the page says.
"""

import html
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
ENGINES = ["onepack, in place", "onepack, packed", "ONNX Runtime GenAI", "llama.cpp"]
COLOURS = ["#1b6ca8", "#8fbcdb", "#b8b8b8", "#8a8a8a"]
LABEL_WIDTH, BAR_WIDTH, BAR, GAP, TITLE = 150, 420, 16, 14, 22


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
        group.update({name: median(ours), "llama.cpp": median(llama_cpp), "ONNX Runtime GenAI": median(genai)})
    return found


def text(x, y, words, anchor="start", weight="normal"):
    return (f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{html.escape(words)}</text>")


def draw(found):
    parts, y = [], 0
    for (figure, threads), speeds in found.items():
        title = f"{figure}, {threads} thread{'' if threads == '1' else 's'}: tokens per second"
        parts.append(text(0, y + 14, title, weight="bold"))
        y += TITLE
        for engine, colour in zip(ENGINES, COLOURS):
            width = speeds[engine] / max(speeds.values()) * BAR_WIDTH
            parts.append(text(LABEL_WIDTH - 8, y + 12, engine, anchor="end"))
            parts.append(f'<rect x="{LABEL_WIDTH}" y="{y}" width="{width:.0f}" height="{BAR - 3}" fill="{colour}"/>')
            parts.append(text(round(LABEL_WIDTH + width + 6), y + 12, f"{speeds[engine]:g}"))
            y += BAR
        y += GAP
    width = LABEL_WIDTH + BAR_WIDTH + 50
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
            f'font-family="sans-serif" font-size="12">\n<rect width="{width}" height="{y}" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def main():
    page = (DOCS / "engines.md").read_text(encoding="utf-8")
    (DOCS / "engines.svg").write_text(draw(groups(page)), encoding="utf-8")


if __name__ == "__main__":
    main()
