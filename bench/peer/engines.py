#!/usr/bin/env python3
"""Compares onepack with llama.cpp and ONNX Runtime GenAI: tokens per second of generation and of prompts.

    python3 bench/peer/engines.py --llama-bench PATH --gguf qwen3.gguf --genai FOLDER \\
        --program base.pte,foundation.ptd --onepack onepack=build/release/bench/peer/peer_onepack \\
        --turns 3 --results engines.jsonl

In each turn every engine, in an order that changes, runs on one and on two threads in a process of its own: warmed up,
twice a prompt of 128 tokens and 64 tokens after it. Prints a table of all turns in the file of results, old ones
included: a long series can be made of short ones. --onepack NAME=COMMAND may be repeated, for the program with other
options ("huge pages=.../peer_onepack --huge-pages"); each is compared with the better of the two others, turn by turn.
make_engine_models.py makes the models. Runs in the Python that has onnxruntime-genai.
"""

import argparse
import functools
import json
import multiprocessing
import os
import shlex
import statistics
import subprocess
import time

from compare import count
from report import machine

THREADS = (1, 2)
PROMPT, NEW, ROUNDS = 128, 64, 2
CONTEXT = 512
FIGURES = {"new": f"generation, {NEW} tokens after {PROMPT}", "prompt": f"prompt of {PROMPT} tokens"}
LLAMA, GENAI = "llama.cpp", "ONNX Runtime GenAI"


def output_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def onepack(command, options, threads):
    found = output_of(shlex.split(command) + ["generate", "--threads", str(threads), "--program", options.program])
    return {"new": found["new_tokens_per_second"], "prompt": found["prompt_tokens_per_second"]}


def llama(options, threads):
    def speed(prompt, new, before):
        [found] = output_of([options.llama_bench, "-m", options.gguf, "-t", str(threads), "-r", str(ROUNDS), "-o",
                             "json", "-p", str(prompt), "-n", str(new), "-d", str(before)])
        return (prompt + new) * 1e9 / found["avg_ns"]
    return {"new": speed(0, NEW, PROMPT), "prompt": speed(PROMPT, 0, 0)}


def genai_here(folder, threads):
    import onnxruntime_genai

    config = onnxruntime_genai.Config(folder)
    session = {"intra_op_num_threads": threads}
    config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
    model = onnxruntime_genai.Model(config)
    seconds = {"new": 0, "prompt": 0}
    for turn in range(1 + ROUNDS):
        if turn == 1:  # warmed up
            seconds = dict.fromkeys(seconds, 0)
        parameters = onnxruntime_genai.GeneratorParams(model)
        parameters.set_search_options(max_length=CONTEXT, min_length=CONTEXT)
        generator = onnxruntime_genai.Generator(model, parameters)
        start = time.perf_counter()
        generator.append_tokens(list(range(1, 1 + PROMPT)))
        seconds["prompt"] += time.perf_counter() - start
        generator.generate_next_token()  # the one that the prompt's logits name
        start = time.perf_counter()
        for _ in range(NEW):
            generator.generate_next_token()
        seconds["new"] += time.perf_counter() - start
    return {"new": ROUNDS * NEW / seconds["new"], "prompt": ROUNDS * PROMPT / seconds["prompt"]}


def genai(options, threads):
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(genai_here, (options.genai, threads))


def measure(engines, first, options):
    """Tokens per second by threads, engine and figure, for each turn."""
    for turn in range(first, first + options.turns):
        names = list(engines)[turn % len(engines):] + list(engines)[:turn % len(engines)]
        yield {str(threads): {name: engines[name](options, threads) for name in names} for threads in THREADS}


def median_and_range(numbers, digits):
    return (f"**{statistics.median(numbers):.{digits}f}** "
            f"({min(numbers):.{digits}f} to {max(numbers):.{digits}f})")


def table(turns, variants):
    lines = [f"Tokens per second: the median of {len(turns)} turns and, in brackets, the lowest and the highest. "
             f"Machine: {machine()}.", "",
             f"| figure | threads | | onepack | {LLAMA} | {GENAI} | ours / the better |",
             "| --- | ---: | --- | ---: | ---: | ---: | ---: |"]
    for figure, title in FIGURES.items():
        for threads in map(str, THREADS):
            for variant in variants:
                speeds = {name: [turn[threads][name][figure] for turn in turns] for name in (variant, LLAMA, GENAI)}
                ratios = [ours / max(theirs)
                          for ours, *theirs in zip(speeds[variant], speeds[LLAMA], speeds[GENAI])]
                cells = [median_and_range(speeds[name], 0) for name in (variant, LLAMA, GENAI)]
                lines.append(f"| {title} | {threads} | {variant} | " + " | ".join(cells) +
                             f" | {median_and_range(ratios, 2)} |")
    return lines


def named_command(text):
    name, equals, command = text.partition("=")
    if not (name and equals and command) or name in (LLAMA, GENAI):
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=COMMAND expected")
    return name, command


def read(path, engines):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        turns = [json.loads(line) for line in file]
    for turn in turns:
        if set(turn["1"]) != set(engines):
            raise SystemExit(f"{path}: has results of {', '.join(turn['1'])}; expected {', '.join(engines)}")
    return turns


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onepack", required=True, action="append", type=named_command, metavar="NAME=COMMAND",
                        help="peer_onepack, with options")
    parser.add_argument("--program", required=True, help="as peer_onepack takes it")
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--genai", required=True, help="folder with genai_config.json")
    parser.add_argument("--turns", type=count, default=7)
    parser.add_argument("--results", required=True, help="a line of JSON for each turn is added")
    options = parser.parse_args()
    variants = dict(options.onepack)
    engines = {name: functools.partial(onepack, command) for name, command in variants.items()}
    engines.update({LLAMA: llama, GENAI: genai})
    turns = read(options.results, engines)
    for turn in measure(engines, len(turns), options):
        turns.append(turn)
        with open(options.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(turn) + "\n")
    print("\n".join(table(turns, variants)))


if __name__ == "__main__":
    main()
