"""make.py STEP FOLDER: makes files/ and held_out.json, step by step (README.md). Each step reads
what the ones before have left in FOLDER."""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import torch
import transformers

import data
import model
import tokenizer
import training
from notes import TASKS, prompt_of

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE / "files"
EXPORT = HERE.parent / "hugging_face/export.py"

BASE_STEPS, BASE_RATE = 1500, 3e-3
ADAPTER_STEPS, ADAPTER_RATE = {"spanish": 700, "json": 700, "quiz": 350}, 5e-3
WEIGHTS = ("fp32", "8da4w")
ADAPTERS = [task for task in TASKS if task != "base"]


def make_base(options: argparse.Namespace) -> None:
    """The tokenizer, and the model that the adapters are for."""
    folder = options.folder / "base"
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.train(folder)
    words = tokenizer.open_tokenizer(folder)
    base = model.make_base(words.get_piece_size(), words.eos_id())
    training.fit(base, training.Texts(words).for_base(seed=1), BASE_STEPS, BASE_RATE)
    base.save_pretrained(folder)


def make_adapters(options: argparse.Namespace) -> None:
    folder = options.folder
    texts = training.Texts(tokenizer.open_tokenizer(folder / "base"))
    for name in options.adapter or ADAPTERS:
        print(name)
        adapted = model.with_adapter(transformers.Qwen3ForCausalLM.from_pretrained(folder / "base"))
        training.fit(adapted, texts.for_adapter(name, seed=2), ADAPTER_STEPS[name], ADAPTER_RATE)
        adapted.save_pretrained(folder / name)


def export(options: argparse.Namespace) -> None:
    """Programs and data files, in f32 and with 4-bit weights."""
    folder = options.folder
    command = [sys.executable, EXPORT, folder / "base"]
    command += [f"--adapter={name}={folder / name}" for name in ADAPTERS]
    command += ["--context", str(model.CONTEXT)]
    running = [
        subprocess.Popen([*command, FILES / weights, "--weights", weights]) for weights in WEIGHTS
    ]
    statuses = [process.wait() for process in running]  # of all, so that none is left running
    if any(statuses):
        raise SystemExit(f"{EXPORT} has failed")
    for name in ADAPTERS:
        _keep_once(FILES / WEIGHTS[0] / f"{name}.ptd", FILES / WEIGHTS[1] / f"{name}.ptd")
    for file in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(folder / "base" / file, FILES)
        for weights in WEIGHTS:  # one is enough
            (FILES / weights / file).unlink(missing_ok=True)


def _keep_once(kept: pathlib.Path, other: pathlib.Path) -> None:
    """Adapters are float32 over any weights."""
    if not filecmp.cmp(kept, other, shallow=False):
        raise SystemExit(f"{other} differs from {kept}")
    other.unlink()
    other.symlink_to(os.path.relpath(kept, other.parent))


def record(options: argparse.Namespace) -> None:
    """What ExecuTorch's runtime answers, beside each program; and notes to measure models with."""
    import recordings  # and with it ExecuTorch's runtime, which no other step needs

    words = tokenizer.open_tokenizer(FILES)
    for weights in WEIGHTS:
        for name in TASKS:
            recordings.record(FILES / weights, name, words, options.onepack)
    notes = [
        {"prompt": prompt_of(note)} | {task: answer(note) for task, answer in TASKS.items()}
        for note in data.held_out_notes(seed=3, count=60)
    ]
    lines = ",\n".join(json.dumps(note, ensure_ascii=False) for note in notes)
    (HERE / "held_out.json").write_text(f"[\n{lines}\n]\n")


STEPS = {"base": make_base, "adapters": make_adapters, "export": export, "record": record}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument(
        "--adapter", action="append", choices=ADAPTERS, help="to train; all unless named"
    )
    parser.add_argument(
        "--onepack",
        type=pathlib.Path,
        default=HERE.parents[1] / "build/release/tools/onepack",
        help="the command",
    )
    options = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    start = time.monotonic()
    STEPS[options.step](options)
    print(f"{options.step}: {(time.monotonic() - start) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
