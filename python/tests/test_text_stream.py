"""What a stream costs, and what it does with tokens that are parts of characters."""

from __future__ import annotations

import random

import pytest
import tokenizers

from onepack import InvalidArgumentError
from onepack.text import StreamDecoder

BYTES = list(range(256))
STRADDLING = 256  # ends a character and begins the next
SPECIAL = 257
LETTER = ord("a")


class CountingDecoder:
    """A token for each byte, one of several, and one without text; counts what it decodes."""

    def __init__(self) -> None:
        self.decoded = 0
        self.pieces = [*(bytes([value]) for value in BYTES), b"\x82\xac\xe2", b""]

    def decode(self, tokens: list[int], *, skip_special_tokens: bool = True) -> str:
        self.decoded += len(tokens)
        if not all(0 <= token < len(self.pieces) for token in tokens):
            raise InvalidArgumentError("no such token")
        return b"".join(self.pieces[token] for token in tokens).decode("utf-8", "replace")


def stream(decoding: CountingDecoder, tokens: list[int]) -> list[str]:
    decoder = StreamDecoder(decoding)
    return [*(decoder.add(token) for token in tokens), decoder.finish()]


TOKENS = {
    "characters of several tokens": list("日本語".encode() * 300),
    "bytes that are no character": [0x82] * 2000,
    "tokens that end one and begin the next": [0xE2, *[STRADDLING] * 2000, 0x82, 0xAC],
    "special tokens": [LETTER, *[SPECIAL] * 2000, LETTER],
    "starts of characters": [0xF0] * 2000,
}


@pytest.mark.parametrize("name", list(TOKENS))
def test_a_long_stream_decodes_each_token_a_few_times(name: str) -> None:
    decoding = CountingDecoder()
    tokens = TOKENS[name]
    pieces = stream(decoding, tokens)
    assert decoding.decoded < 100 * len(tokens)
    assert "".join(pieces) == CountingDecoder().decode(tokens)


def test_characters_come_when_they_are_complete() -> None:
    pieces = stream(CountingDecoder(), list("日a".encode()))
    assert pieces == ["", "", "日", "a", ""]
    tokens = [0xE2, *[STRADDLING] * 100, 0x82, 0xAC]
    assert stream(CountingDecoder(), tokens) == ["", *["€"] * 100, "", "€", ""]


def test_long_streams_of_anything_are_the_text_of_all_tokens() -> None:
    source = random.Random(0)
    choices = [LETTER, STRADDLING, SPECIAL, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80]
    for _ in range(300):
        tokens = [source.choice(choices) for _ in range(200)]
        tokens += [source.choice(choices[3:]) for _ in range(200)]
        expected = CountingDecoder().decode(tokens)
        assert "".join(stream(CountingDecoder(), tokens)) == expected, tokens


def test_an_unknown_token_changes_nothing() -> None:
    decoder = StreamDecoder(CountingDecoder())
    first, *others = list("日本".encode())
    assert decoder.add(first) == ""
    with pytest.raises(InvalidArgumentError):
        decoder.add(10**6)
    assert "".join([*map(decoder.add, others), decoder.finish()]) == "日本"


@pytest.fixture
def byte_fallback() -> tokenizers.Tokenizer:
    """A letter, a space before a letter, and bytes: one that is wrong makes all beside it U+FFFD."""
    texts = [*(f"<0x{byte:02X}>" for byte in range(256)), "x", "\u2581x", "\u2581"]
    vocabulary = {text: number for number, text in enumerate(texts)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [], byte_fallback=True))
    decoders = tokenizers.decoders
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


@pytest.mark.parametrize("start", [[], [256]], ids=["at the start", "after text"])
def test_complete_characters_stay_before_bytes_that_are_none(
    byte_fallback: tokenizers.Tokenizer, start: list[int]
) -> None:
    tokens = [*start, *"€".encode(), 0xF0, 257]
    decoder = StreamDecoder(byte_fallback)
    text = "".join([*map(decoder.add, tokens), decoder.finish()])
    assert text == "x" * len(start) + "€\ufffd x"


def test_spaces_stay_after_pieces_without_text_of_their_own(
    byte_fallback: tokenizers.Tokenizer,
) -> None:
    for tokens in ([256, 258, 257], [*"€".encode(), 257], [256, *[258] * 100, 257, 257]):
        decoder = StreamDecoder(byte_fallback)
        text = "".join([*map(decoder.add, tokens), decoder.finish()])
        assert text == byte_fallback.decode(tokens)
