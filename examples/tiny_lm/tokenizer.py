"""The tokenizer: a SentencePiece model of the words that notes are made of."""

from __future__ import annotations

import itertools
import json
import pathlib
import string
from collections.abc import Iterator

import sentencepiece

import data
from notes import TASKS, glossary, prompt_of

VOCABULARY = 640
EOS = "</s>"
# A chat's last message is the note; the model was not trained on longer talks.
CHAT_TEMPLATE = "{{ messages[-1]['content'] }}"


def train(folder: pathlib.Path) -> None:
    """Writes tokenizer.model and tokenizer_config.json."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_sentences(),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=VOCABULARY,
        model_type="bpe",
        # Characters that no piece has become bytes, so that decoding gives back every text.
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        required_chars=string.ascii_letters + string.digits + "{}[]\"':,.?!-",
        split_digits=True,
        unk_id=0,
        bos_id=-1,
        eos_id=1,
        eos_piece=EOS,
        pad_id=-1,
        num_threads=1,  # the result depends on it
        minloglevel=1,
    )
    (folder / "tokenizer.vocab").unlink()
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": False,
        "add_eos_token": False,
        "eos_token": EOS,
        "unk_token": "<unk>",
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def open_tokenizer(folder: pathlib.Path) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def _sentences() -> Iterator[str]:
    yield from glossary()
    for note in itertools.islice(data.training_notes(seed=1, invented=0.0), 4000):
        yield prompt_of(note)
        for answer in TASKS.values():
            yield answer(note)
