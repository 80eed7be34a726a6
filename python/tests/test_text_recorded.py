"""Tokenizers that are recorded with what they make of texts: the onepack command is tested with the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from onepack.text import StreamDecoder, Tokenizer

FOLDER = Path(__file__).parents[2] / "tests/data/tokenizers"
RECORDS: list[dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("name", sorted({record["tokenizer"] for record in RECORDS}))
def test_texts_become_the_recorded_tokens_and_text_again(name: str) -> None:
    tokenizer = Tokenizer.open(FOLDER / name)
    records = [record for record in RECORDS if record["tokenizer"] == name]
    assert len(records) >= 12
    for record in records:
        text, ids, decoded = record["text"], record["ids"], record["decoded"]
        assert tokenizer.encode(text) == ids
        within = tokenizer.encode(text, add_special_tokens=False)
        assert within == record["ids_without_special"]
        assert tokenizer.decode(ids) == decoded
        stream = StreamDecoder(tokenizer)
        assert "".join([*map(stream.add, ids), stream.finish()]) == decoded
