"""The trained models of examples/tiny_lm, asked in text and in a chat, in Python."""

from __future__ import annotations

import json

import pytest
from recorded import ROOT

from onepack import AdapterPool, Backend, NamedData, Program
from onepack.text import Tokenizer

FOLDER = ROOT / "examples/tiny_lm"


@pytest.mark.parametrize("weights", ["fp32", "8da4w"])
def test_each_program_answers_its_way(weights: str, backend: Backend) -> None:
    files = FOLDER / "files" / weights
    tokenizer = Tokenizer.open(FOLDER / "files")
    pool = AdapterPool(backend=backend, foundation=NamedData(files / "foundation.ptd"))
    pool.add("base", Program(files / "base.pte"))
    for name in ("json", "quiz"):
        pool.add(name, Program(files / f"{name}.pte"), NamedData(files / f"{name}.ptd"))
    for note in json.loads((FOLDER / "held_out.json").read_text())[:5]:
        prompt = tokenizer.encode(note["prompt"])
        assert tokenizer.encode_chat([{"role": "user", "content": note["prompt"]}]) == prompt
        for name in pool.names():
            tokens = pool.generate(name, prompt, stop_tokens=tokenizer.eos_ids).result().tokens
            assert tokenizer.decode(tokens) == note[name]
