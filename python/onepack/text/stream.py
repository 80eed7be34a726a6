"""Tokens become text while they come."""

from __future__ import annotations

from typing import Protocol

_REPLACEMENT = "\ufffd"  # what bytes decode to that are no character (yet)
_MOST_INCOMPLETE = 3  # a character has four bytes at most


class Decoding(Protocol):
    def decode(self, tokens: list[int], *, skip_special_tokens: bool = True) -> str: ...


class StreamDecoder:
    """Text of tokens, piece by piece: all pieces together are the text of all tokens.

    A character may be split over several tokens. None is given before it is complete, and what is
    left at the end, bytes that make no character, comes out of finish().

    Threads: belongs to one.
    """

    # Tokens cannot be decoded one by one, because what comes before says whether there is a space. So
    # those after _start are decoded together, with what was shown before _read for the context; both
    # move on where text ends with a whole character.

    def __init__(self, tokenizer: Decoding, *, skip_special_tokens: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._tokens: list[int] = []  # from _start on
        self._read = 0  # how many of them are only context
        self._shown = 0  # characters of their text

    def add(self, token: int) -> str:
        """What can be shown since the last call: often a word, sometimes nothing."""
        self._tokens.append(token)
        text = self._text(self._tokens)
        stable = len(text) - min(_trailing_replacements(text), _MOST_INCOMPLETE)
        added = self._show(text, stable)
        if added and stable == len(text):
            self._tokens = self._tokens[self._read :]
            self._read = len(self._tokens)
            self._shown = len(self._text(self._tokens))
        return added

    def finish(self) -> str:
        """What is left. The decoder then begins anew."""
        text = self._text(self._tokens)
        added = self._show(text, len(text))
        self._tokens, self._read, self._shown = [], 0, 0
        return added

    def _show(self, text: str, end: int) -> str:
        added = text[self._shown : end]
        self._shown = max(self._shown, end)
        return added

    def _text(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=self._skip_special_tokens)


def _trailing_replacements(text: str) -> int:
    return len(text) - len(text.rstrip(_REPLACEMENT))
