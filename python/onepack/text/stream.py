"""Tokens become text while they come."""

from __future__ import annotations

from typing import Protocol

_REPLACEMENT = "\ufffd"  # what bytes decode to that are no character (yet)


class Decoding(Protocol):
    def decode(self, tokens: list[int], *, skip_special_tokens: bool = True) -> str: ...


class StreamDecoder:
    """Text of tokens, piece by piece: all pieces together are the text of all tokens.

    A character may be split over several tokens. None is given before it is complete. Bytes that make
    no character are U+FFFD, and come with the next one or out of finish().

    Threads: belongs to one.
    """

    # Tokens cannot be decoded one by one, because what comes before says whether there is a space. So
    # they are decoded behind one that was shown already: the last that has text of its own, and so is no
    # part of a character, with which some decoders would read those that follow.

    def __init__(self, tokenizer: Decoding, *, skip_special_tokens: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._tokens: list[int] = []  # that one, and those after it
        self._shown = 0  # characters of their text

    def add(self, token: int) -> str:
        """What can be shown since the last call: often a word, sometimes nothing."""
        self._tokens.append(token)
        text = self._text(self._tokens)
        whole = text.rstrip(_REPLACEMENT)  # the rest may become a character
        added = self._show(whole)
        if added and whole == text:
            self._begin_after(token)
        return added

    def finish(self) -> str:
        """What is left. The decoder then begins anew."""
        added = self._show(self._text(self._tokens))
        self._tokens, self._shown = [], 0
        return added

    def _show(self, text: str) -> str:
        added = text[self._shown :]
        self._shown = max(self._shown, len(text))
        return added

    def _begin_after(self, token: int) -> None:
        text = self._text([token])
        if text and _REPLACEMENT not in text:
            self._tokens, self._shown = [token], len(text)

    def _text(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=self._skip_special_tokens)
