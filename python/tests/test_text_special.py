"""Added tokens: special ones are left out of text, others are text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from test_text import make_sentencepiece, make_tiktoken

from onepack.text import StreamDecoder, Tokenizer


def open_with_thinking(make: Callable[[Path], None], folder: Path) -> Tokenizer:
    make(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["added_tokens_decoder"]["900"] = {"content": "<think>", "special": False}
    config["added_tokens_decoder"]["901"] = {"content": "\n\n\n"}
    config["added_tokens_decoder"]["902"] = {"content": "<pad>", "special": False}
    config["pad_token"] = "<pad>"
    path.write_text(json.dumps(config))
    return Tokenizer.open(folder)


@pytest.mark.parametrize("make", [make_sentencepiece, make_tiktoken])
def test_only_special_tokens_are_skipped(make: Callable[[Path], None], tmp_path: Path) -> None:
    tokenizer = open_with_thinking(make, tmp_path)
    model = tokenizer.token_id("<|model|>")
    assert model is not None
    tokens = [model, 900, *tokenizer.encode("many", add_special_tokens=False), 901, 902]
    assert tokenizer.decode(tokens) == "<think>many\n\n\n"
    whole = tokenizer.decode(tokens, skip_special_tokens=False)
    assert whole == "<|model|><think>many\n\n\n<pad>"


@pytest.mark.parametrize("make", [make_sentencepiece, make_tiktoken])
def test_a_template_writes_tokens_that_are_not_special(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    tokenizer = open_with_thinking(make, tmp_path)
    (tmp_path / "chat_template.jinja").write_text("<think>{{ messages[0].content }}<|model|>")
    tokens = Tokenizer.open(tmp_path).encode_chat([{"role": "user", "content": "an"}])
    assert tokens[0] == 900
    assert tokens[-1] == tokenizer.token_id("<|model|>")


@pytest.mark.parametrize("make", [make_sentencepiece, make_tiktoken])
@pytest.mark.parametrize("skip", [True, False])
def test_added_tokens_stream_as_they_decode(
    make: Callable[[Path], None], skip: bool, tmp_path: Path
) -> None:
    tokenizer = open_with_thinking(make, tmp_path)
    source = random.Random(0)
    words = tokenizer.encode("many programs € an", add_special_tokens=False)
    for _ in range(300):
        tokens = source.choices([*words, 900, 901, 902, tokenizer.eos_ids[0]], k=40)
        decoder = StreamDecoder(tokenizer, skip_special_tokens=skip)
        text = "".join([*map(decoder.add, tokens), decoder.finish()])
        assert text == tokenizer.decode(tokens, skip_special_tokens=skip), tokens
