"""The trained models of examples/tiny_lm, asked in text and in a chat, in Python."""

from __future__ import annotations

import json

import pytest
from recorded import ROOT

from onepack import AdapterPool, Backend, NamedData, Program
from onepack.text import Tokenizer

FOLDER = ROOT / "examples/tiny_lm"
NOTES = 12
# So many answers must be right to the letter: the share that tests/examples/tiny_lm_test.cpp wants
# of all 60 notes.
RIGHT = {"base": 10, "json": 10, "quiz": 10, "spanish": 9}


@pytest.mark.parametrize("weights", ["fp32", "8da4w"])
def test_each_program_answers_its_way(weights: str, backend: Backend) -> None:
    files = FOLDER / "files" / weights
    tokenizer = Tokenizer.open(FOLDER / "files")
    pool = AdapterPool(backend=backend, foundation=NamedData(files / "foundation.ptd"))
    pool.add("base", Program(files / "base.pte"))
    for name in ("json", "quiz", "spanish"):
        pool.add(name, Program(files / f"{name}.pte"), NamedData(files / f"{name}.ptd"))
    right = dict.fromkeys(RIGHT, 0)
    for note in json.loads((FOLDER / "held_out.json").read_text())[:NOTES]:
        prompt = tokenizer.encode(note["prompt"])
        assert tokenizer.encode_chat([{"role": "user", "content": note["prompt"]}]) == prompt
        for name in pool.names():
            tokens = pool.generate(name, prompt, stop_tokens=tokenizer.eos_ids).result().tokens
            right[name] += tokenizer.decode(tokens) == note[name]
    assert all(right[name] >= RIGHT[name] for name in RIGHT), right
