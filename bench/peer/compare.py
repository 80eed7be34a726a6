#!/usr/bin/env python3
"""Runs both peers interleaved and writes what they said as JSON, Markdown and SVG.

    compare.py --peers FOLDER --inside FOLDER --models FOLDER --runs 7 --results bench/results --docs docs

FOLDER of --inside has our libexecutorch_backend_xnnpack.so: ExecuTorch's own program is then run with it, too.
--only MODEL, which may be repeated, measures its scenarios, and takes the others from the results that are there.

scripts/bench.sh calls it. Every data point is a process of its own, and both peers must give the same answers.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile

from figures import SCENARIOS
from report import INSIDE, PEERS, adapters_svg, markdown, ratios_svg

# Of what onepack links with, the libraries that are there for it; ExecuTorch's have its name.
LIBRARIES = re.compile(r"executorch|XNNPACK|pthreadpool|cpuinfo")
# Relative; the peers' XNNPACKs differ.
TOLERANCE = 0.02


def run(scenario, peer, options):
    command = scenario.command(peer, options.peers, options.models)
    variables = dict(os.environ, LD_LIBRARY_PATH=options.inside) if peer == INSIDE else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, env=variables)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["peer"] != peer:
        raise SystemExit(f"{' '.join(command)} ran {found['peer']}, {peer} expected")
    return found


def peers_of(scenario):
    return PEERS + (INSIDE,) if scenario.inside else PEERS


def check_answers(scenario, theirs, ours):
    for index, (a, b) in enumerate(zip(theirs.get("loads", []), ours.get("loads", []))):
        if abs(a["output"] - b["output"]) > TOLERANCE * max(abs(a["output"]), 1):
            raise SystemExit(f"{scenario.model}, program {index}: ExecuTorch says {a['output']}, we {b['output']}")


def results_file(scenario, options):
    return f"{options.results}/{scenario.model}_{scenario.name}.json"


def read_results(scenario, options):
    with open(results_file(scenario, options), encoding="utf-8") as file:
        return json.load(file)


def measure(options):
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.model in options.only]
    results = {(scenario.model, scenario.name): {peer: [] for peer in peers_of(scenario)} if scenario in chosen
               else read_results(scenario, options) for scenario in SCENARIOS}
    for index in range(options.runs):
        for scenario in chosen:
            peers = peers_of(scenario)
            found = {peer: run(scenario, peer, options) for peer in (peers if index % 2 == 0 else peers[::-1])}
            for peer in peers:
                check_answers(scenario, found["executorch"], found[peer])
                results[scenario.model, scenario.name][peer].append(found[peer])
        print(f"bench: run {index + 1} of {options.runs}", flush=True)
    return results


def stripped_size(path):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["strip", "-o", file.name, path], check=True)
        return os.path.getsize(file.name)


def sizes(options):
    found = {}
    for peer in PEERS:
        program = f"{options.peers}/peer_{peer}"
        linked = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
        libraries = [line.split("=>")[1].split("(")[0].strip() for line in linked.splitlines()
                     if "=>" in line and LIBRARIES.search(line.split("=>")[0])]
        found[peer] = {"program": stripped_size(program),
                       "libraries": sum(stripped_size(os.path.realpath(path)) for path in libraries)}
    return found


def count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 to 999999 expected")
    return int(text)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--peers", "--inside", "--models", "--results", "--docs"):
        parser.add_argument(name, required=True)
    parser.add_argument("--runs", type=count, default=7)
    parser.add_argument("--only", action="append", choices=sorted({scenario.model for scenario in SCENARIOS}))
    options = parser.parse_args()
    results = measure(options)
    os.makedirs(options.results, exist_ok=True)
    for scenario in SCENARIOS:
        by_peer = results[scenario.model, scenario.name]
        lines = [f'"{peer}": [\n' + ",\n".join(json.dumps(result) for result in by_peer[peer]) + "\n]"
                 for peer in by_peer]
        write(results_file(scenario, options), "{" + ",\n".join(lines) + "}\n")
    write(f"{options.docs}/benchmarks.md", markdown(results, sizes(options), options.runs))
    write(f"{options.docs}/benchmarks.svg", ratios_svg(results))
    write(f"{options.docs}/benchmarks_adapters.svg", adapters_svg(results))


if __name__ == "__main__":
    main()
