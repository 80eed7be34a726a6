#!/usr/bin/env python3
"""Runs both peers interleaved and writes what they said as JSON, Markdown and SVG.

    compare.py --peers FOLDER --models FOLDER --runs 7 --results bench/results --docs docs

scripts/bench.sh calls it. Every data point is a process of its own. A ratio is ours / theirs of two processes that
ran one after the other; the table shows the median of the ratios and, in brackets, the lowest and the highest.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess

PEERS = ("executorch", "onepack")


def programs(model, names):
    """--program arguments: a base program needs the foundation, an adapter its own data as well."""
    arguments = []
    for name in names:
        files = [f"{model}/{name}.pte", f"{model}/foundation.ptd"]
        if name != "base":
            files.append(f"{model}/{name}.ptd")
        arguments += ["--program", ",".join(files)]
    return arguments


def scenarios(models):
    big, middle = f"{models}/stack_300mb", f"{models}/stack_6mb"
    adapters = [f"lora{i}" for i in range(8)]
    return {
        "load": ["load"] + programs(big, ["base"] + adapters),
        "load_cold": ["load", "--cold"] + programs(big, ["base", "lora0"]),
        "load_apart": ["load", "--apart"] + programs(big, ["base", "lora0"]),
        "execute": ["execute"] + programs(big, ["base"]),
        "parallel": ["parallel"] + programs(middle, ["lora0", "lora1"]),
        "interference": ["interference"] + programs(middle, ["base"]) + programs(big, ["base"]),
    }


def run(peer, arguments, folder):
    command = [os.path.join(folder, f"peer_{peer}")] + arguments
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(options):
    results = {name: {peer: [] for peer in PEERS} for name in scenarios(options.models)}
    for index in range(options.runs):
        order = PEERS if index % 2 == 0 else PEERS[::-1]
        for name, arguments in scenarios(options.models).items():
            for peer in order:
                results[name][peer].append(run(peer, arguments, options.peers))
        print(f"bench: run {index + 1} of {options.runs}", flush=True)
    return results


def added(result, index):
    """Anonymous memory that program `index` added, loaded and run."""
    before = result["loads"][index - 1]["memory"] if index > 0 else result["start"]
    return result["loads"][index]["memory"]["anonymous_bytes"] - before["anonymous_bytes"]


# What is measured: title, scenario, unit, goal (the highest ratio), and how to read it from one result.
FIGURES = [
    ("load, first program", "load", "ms", 0.7, lambda r: r["loads"][0]["load_ms"]),
    ("load, first program, page cache cold", "load_cold", "ms", None, lambda r: r["loads"][0]["load_ms"]),
    ("load, second program", "load", "ms", 0.5, lambda r: r["loads"][1]["load_ms"]),
    ("load, ninth program", "load", "ms", None, lambda r: r["loads"][8]["load_ms"]),
    ("load, first program again after all were closed", "load", "ms", None, lambda r: r["reloads"][0]["load_ms"]),
    ("first output, first program", "load", "ms", None, lambda r: r["loads"][0]["first_output_ms"]),
    ("first output, second program", "load", "ms", None, lambda r: r["loads"][1]["first_output_ms"]),
    ("peak resident memory while loading the first program", "load", "MB", 0.6,
     lambda r: r["loads"][0]["loaded"]["peak_bytes"] / 1e6),
    ("anonymous memory, first program", "load", "MB", None, lambda r: added(r, 0) / 1e6),
    ("anonymous memory that the second program adds", "load", "MB", 0.9, lambda r: added(r, 1) / 1e6),
    ("anonymous memory that all eight adapters add", "load", "MB", None,
     lambda r: sum(added(r, i) for i in range(1, 9)) / 1e6),
    ("the second program's, without sharing", "load_apart", "MB", None, lambda r: added(r, 1) / 1e6),
    ("proportional set size of all nine programs", "load", "MB", None,
     lambda r: r["loads"][8]["memory"]["proportional_bytes"] / 1e6),
    ("run of 1 row", "execute", "ms", 1.0, lambda r: r["ms_of_1_rows"]),
    ("run of 16 rows", "execute", "ms", 1.0, lambda r: r["ms_of_16_rows"]),
    ("run of 128 rows", "execute", "ms", 1.0, lambda r: r["ms_of_128_rows"]),
    ("worst run of a small program while a large one is loaded", "interference", "ms", 0.02,
     lambda r: r["worst_ms"]),
]


def figure_rows(results):
    rows = []
    for title, scenario, unit, goal, read in FIGURES:
        theirs = [read(result) for result in results[scenario]["executorch"]]
        ours = [read(result) for result in results[scenario]["onepack"]]
        ratios = [a / b for a, b in zip(ours, theirs) if b > 0]
        rows.append({
            "title": title, "unit": unit, "goal": goal,
            "executorch": statistics.median(theirs), "onepack": statistics.median(ours),
            "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios),
        })
    return rows


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def parallel_gain(results, peer):
    gains = [r["together_per_second"] / r["alone_per_second"] for r in results["parallel"][peer]]
    return statistics.median(gains), min(gains), max(gains)


def markdown(results, rows, options):
    lines = [
        "# Benchmarks against ExecuTorch",
        "",
        "Made by `bash scripts/bench.sh`; do not edit. ExecuTorch 1.5.1 with its XNNPACK backend and its weights cache on",
        "(except where it says without sharing), from its wheel, through its C++ API; the same files, mapped; one thread.",
        f"Median of {options.runs} interleaved runs, each figure in a process of its own, on {machine()}.",
        "The model is a stack of 302 MB of f32 weights with adapters of rank 16 (3.9 MB each).",
        "",
        "| figure | ExecuTorch | onepack | ours / theirs | goal |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        goal = f"≤ {row['goal']}" if row["goal"] else ""
        lines.append(
            f"| {row['title']} | {number(row['executorch'])} {row['unit']} | {number(row['onepack'])} {row['unit']} | "
            f"**{row['ratio']:.2f}** ({row['lowest']:.2f} to {row['highest']:.2f}) | {goal} |")
    gains = {peer: parallel_gain(results, peer) for peer in PEERS}
    lines += [
        "",
        "Two programs in two threads do so many times the runs of one program alone (goal: 1.5):",
        ", ".join(f"{peer} {gains[peer][0]:.2f} ({gains[peer][1]:.2f} to {gains[peer][2]:.2f})" for peer in PEERS) + ".",
        "",
        "![Ratios](benchmarks.svg)",
        "",
        "What the figures mean, and how they are taken: [bench/README.md](../bench/README.md).",
        "",
    ]
    return "\n".join(lines)


def svg(rows):
    """Bars of ours / theirs; the line is 1."""
    width, left, bar, gap = 860, 400, 16, 8
    scale = (width - left - 70) / max(1.25, max(row["ratio"] for row in rows))
    height = len(rows) * (bar + gap) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-weight="bold">onepack / ExecuTorch: shorter is better</text>',
    ]
    for index, row in enumerate(rows):
        top = 34 + index * (bar + gap)
        colour = "#3a7d44" if row["ratio"] <= 1 else "#b5532a"
        parts += [
            f'<text x="{left - 8}" y="{top + 12}" text-anchor="end">{row["title"]}</text>',
            f'<rect x="{left}" y="{top}" width="{row["ratio"] * scale:.1f}" height="{bar}" fill="{colour}"/>',
            f'<text x="{left + row["ratio"] * scale + 6:.1f}" y="{top + 12}">{row["ratio"]:.2f}</text>',
        ]
    parts.append(f'<line x1="{left + scale:.1f}" y1="28" x2="{left + scale:.1f}" y2="{height - 8}" stroke="#555" '
                 'stroke-dasharray="4 3"/>')
    parts.append("</svg>\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--peers", "--models", "--results", "--docs"):
        parser.add_argument(name, required=True)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    results = measure(options)
    rows = figure_rows(results)
    os.makedirs(options.results, exist_ok=True)
    for name, by_peer in results.items():
        with open(os.path.join(options.results, f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump(by_peer, file, indent=1)
            file.write("\n")
    with open(os.path.join(options.docs, "benchmarks.md"), "w", encoding="utf-8") as file:
        file.write(markdown(results, rows, options))
    with open(os.path.join(options.docs, "benchmarks.svg"), "w", encoding="utf-8") as file:
        file.write(svg(rows))


if __name__ == "__main__":
    main()
