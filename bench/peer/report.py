"""Results as Markdown and SVG."""

import math
import statistics

from digits import number
from figures import ADAPTERS, BUSY_MODELS, BUSY_THREADS, INSIDE_TABLES, TABLES, anonymous_after, busy_name
from machine import machine
from svg import svg_bar, svg_start

PEERS = ("executorch", "onepack")
# ExecuTorch with our backend in place of its own.
INSIDE = "inside"
NAMES = {"executorch": "ExecuTorch", "onepack": "onepack"}
COLOURS = {"executorch": "#8a8f98", "onepack": "#3a7d44"}


def rows_of(results, model, figures, peers=PEERS):
    rows = []
    for figure in figures:
        theirs, ours = ([figure.read(result) for result in results[model, figure.scenario][peer]] for peer in peers)
        ratios = [a / b for a, b in zip(ours, theirs) if b > 0]
        rows.append({
            "title": figure.title, "unit": figure.unit, "goal": figure.goal,
            "executorch": statistics.median(theirs), "onepack": statistics.median(ours),
            "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios),
        })
    return rows


def gains(results, model, peer):
    return [r["together_per_second"] / r["alone_per_second"] for r in results[model, "parallel"][peer]]


def table(rows, name="onepack"):
    lines = [f"| figure | ExecuTorch | {name} | ours / theirs | goal |", "| --- | ---: | ---: | ---: | ---: |"]
    for row in rows:
        goal = "" if row["goal"] is None else f"≤ {row['goal']} {'✓' if row['ratio'] <= row['goal'] else '✗'}"
        lines.append(
            f"| {row['title']} | {number(row['executorch'])} {row['unit']} | {number(row['onepack'])} {row['unit']} | "
            f"**{row['ratio']:.2f}** ({row['lowest']:.2f} to {row['highest']:.2f}) | {goal} |")
    return lines


def inside_lines(results):
    lines = ["## Inside ExecuTorch", "",
             "One program of ExecuTorch's API in both columns, in the second with our library in LD_LIBRARY_PATH",
             "([integrations/executorch](../integrations/executorch/README.md)): the same XNNPACK under both."]
    for model, figures in INSIDE_TABLES:
        lines += ["", f"### {model}", ""]
        lines += table(rows_of(results, model, figures, ("executorch", INSIDE)), "with our backend")
    return lines


def parallel_lines(results):
    lines = ["## Two programs in two threads", "",
             "So many times the runs of one program alone, in the same time (goal: 1.5 or more).", "",
             "| model | ExecuTorch | onepack |", "| --- | ---: | ---: |"]
    for model, _, _ in TABLES:
        cells = []
        for peer in PEERS:
            found = gains(results, model, peer)
            cells.append(f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})")
        lines.append(f"| {model} | {cells[0]} | {cells[1]} |")
    return lines


def busy_lines(results):
    pairs = len(results[BUSY_MODELS[0], busy_name(BUSY_THREADS[0])]["onepack"])
    lines = ["## Beside busy processes", "",
             f"200 runs of one row or token, while a process in an endless loop has each core ({pairs} pairs of processes): the",
             "median and the slowest, in ms, and ours / theirs. Goals: at most 2 and 5 with two threads; two threads at least as fast as one.", "",
             "| model | threads | ExecuTorch | onepack | median, ours / theirs | slowest, ours / theirs |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for model in BUSY_MODELS:
        for threads in BUSY_THREADS:
            cells = []
            found = results[model, busy_name(threads)]
            for peer in PEERS:
                median, worst = (statistics.median(r[key] for r in found[peer]) for key in ("median_ms", "worst_ms"))
                cells.append(f"{number(median)} and {number(worst)}")
            for key in ("median_ms", "worst_ms"):
                ratios = [ours[key] / theirs[key] for ours, theirs in zip(found["onepack"], found["executorch"])]
                cells.append(f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})")
            lines.append(f"| {model} | {threads} | " + " | ".join(cells) + " |")
    return lines


def adapter_lines(results):
    lines = ["## Adapters", "",
             "Anonymous memory (MB) of a base program and so many LoRA programs, each loaded and run.", "",
             "| model | peer | 1 | 2 | 4 | 8 |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for model in ("stack", "llm"):
        for peer in PEERS:
            cells = [number(statistics.median(anonymous_after(r, count) for r in results[model, "load"][peer]))
                     for count in (1, 2, 4, 8)]
            lines.append(f"| {model} | {NAMES[peer]} | " + " | ".join(cells) + " |")
    lines += ["", "![Memory by adapters](benchmarks_adapters.svg)"]
    return lines


def size_lines(sizes):
    lines = ["## Size on disk", "",
             "The driver's program, stripped, and the libraries that come with the peer, stripped. The driver itself is",
             "the same; ExecuTorch has XNNPACK inside its library, onepack takes the distribution's.", "",
             "| peer | program | libraries | together |", "| --- | ---: | ---: | ---: |"]
    for peer in PEERS:
        size = sizes[peer]
        lines.append(f"| {NAMES[peer]} | {size['program'] / 1e6:.2f} MB | {size['libraries'] / 1e6:.2f} MB | "
                     f"{(size['program'] + size['libraries']) / 1e6:.2f} MB |")
    return lines


def markdown(results, sizes, runs):
    lines = [
        "# Benchmarks against ExecuTorch",
        "",
        "Made by `bash scripts/bench.sh`; do not edit. ExecuTorch 1.5.1 with its XNNPACK backend and its weights cache on",
        "(except where it says without sharing), from its wheel, through its C++ API; the same files, mapped; both",
        "compute on the thread that calls, unless it says how many threads. A ratio is of two processes that ran one after the other; the table has the",
        f"median of {runs} such pairs and, in brackets, the lowest and the highest. Machine: {machine()}.",
        "",
        "![Ratios](benchmarks.svg)",
        "",
        "In the language model, attention and the update of its KV cache are the same code in both columns, ours, because ExecuTorch's",
        "wheel has no library with these two operators: they count in all its times.",
    ]
    for model, description, figures in TABLES:
        lines += ["", f"## {model}", "", description, ""] + table(rows_of(results, model, figures))
    lines += [""] + inside_lines(results) + [""] + parallel_lines(results) + [""] + busy_lines(results) + [""] + adapter_lines(results) + [""] + size_lines(sizes)
    lines += ["", "How the figures are taken, and what the profiles say where a goal is missed:",
              "[bench/README.md](../bench/README.md).", ""]
    return "\n".join(lines)


def ratios_svg(results):
    """Bars of ours / theirs; the dashed line is 1, the short ones are goals."""
    left, bar, gap, width = 300, 13, 6, 860
    longest = 1.3
    scale = (width - left - 60) / longest
    sections = [(model, rows_of(results, model, figures)) for model, _, figures in TABLES]
    height = 40 + sum(28 + len(rows) * (bar + gap) for _, rows in sections)
    parts = svg_start(width, height, "onepack / ExecuTorch: shorter is better")
    top = 34
    for model, rows in sections:
        parts.append(f'<text x="12" y="{top + 14}" font-weight="bold" fill="#444">{model}</text>')
        top += 24
        for row in rows:
            length = min(row["ratio"], longest) * scale
            colour = "#3a7d44" if row["ratio"] <= 1 else "#b5532a"
            parts += svg_bar(left, top, length, bar, colour, row["title"], f'{row["ratio"]:.2f}')
            if row["goal"] is not None:
                x = left + row["goal"] * scale
                parts.append(f'<line x1="{x:.1f}" y1="{top - 2}" x2="{x:.1f}" y2="{top + bar + 2}" stroke="#222" '
                             'stroke-width="2"/>')
            top += bar + gap
        top += 4
    x = left + scale
    parts += [f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height - 6}" stroke="#777" stroke-dasharray="4 3"/>',
              "</svg>", ""]
    return "\n".join(parts)


def adapters_svg(results):
    """Memory after each adapter, a panel for each model."""
    panel, height, bottom = 400, 280, 236
    parts = svg_start(2 * panel + 40, height, "Anonymous memory in MB, a base program and 0 to 8 adapters")
    for index, model in enumerate(("stack", "llm")):
        left = 56 + index * panel
        series = {peer: [statistics.median(anonymous_after(r, i) for r in results[model, "load"][peer])
                         for i in range(ADAPTERS + 1)] for peer in PEERS}
        top_value = math.ceil(max(max(values) for values in series.values()) / 200) * 200
        parts.append(f'<text x="{left}" y="44" fill="#444">{model}</text>')
        for step in range(5):
            y = bottom - step * 44
            parts += [f'<line x1="{left}" y1="{y}" x2="{left + 310}" y2="{y}" stroke="#e4e4e4"/>',
                      f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{top_value * step / 4:.0f}</text>']
        for peer in PEERS:
            points = [(left + i * 36, bottom - value / top_value * 176) for i, value in enumerate(series[peer])]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts += [f'<polyline points="{path}" fill="none" stroke="{COLOURS[peer]}" stroke-width="2.5"/>',
                      f'<text x="{points[-1][0] + 6:.1f}" y="{points[-1][1] + 4:.1f}" fill="{COLOURS[peer]}">'
                      f'{NAMES[peer]}</text>']
        for i in range(ADAPTERS + 1):
            parts.append(f'<text x="{left + i * 36}" y="{bottom + 18}" text-anchor="middle">{i}</text>')
    parts += ["</svg>", ""]
    return "\n".join(parts)
