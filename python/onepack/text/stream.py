"""Tokens become text while they come."""

from __future__ import annotations

from typing import Protocol

_REPLACEMENT = "\ufffd"  # for bytes that do not form a character (yet)
_MOST_UNFINISHED = 3  # so many of these at most are one character that is not complete
_MOST_WAITING = 32  # tokens that are decoded again with each new one
_KEPT = 8  # how many of them are kept if there are more: at least one complete character


class Decoding(Protocol):
    def decode(self, tokens: list[int], *, skip_special_tokens: bool = True) -> str: ...


class StreamDecoder:
    """The text of tokens, piece by piece: all pieces together are the text of all tokens.

    A character may be split over several tokens; it is returned when it is complete. Bytes that do not
    form a character become U+FFFD, which is returned with the next character, after some more tokens,
    or by finish().

    One exception: the decoder ByteFallback of a tokenizer.json replaces a whole row of bytes by U+FFFD
    if one of them is wrong. Characters of that row that were complete before the wrong byte came have
    been returned already, and stay as they are.

    A token that the tokenizer does not have raises InvalidArgumentError and changes nothing.

    Threads: one at a time.
    """

    # Tokens cannot be decoded one by one, because what comes before says whether there is a space. So
    # they are decoded behind the tokens of the piece before, and the text of those is cut off.

    def __init__(self, tokenizer: Decoding, *, skip_special_tokens: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip_special_tokens = skip_special_tokens
        self._piece: list[int] = []  # whose text was shown, the last that has any
        self._piece_text = ""
        self._waiting: list[int] = []  # tokens after it
        self._shown = 0  # characters of their text

    def add(self, token: int) -> str:
        """The text that has become complete since the last call: often a word, sometimes nothing."""
        waiting = [*self._waiting, token]
        text = self._text_after_piece(waiting)
        self._waiting = waiting
        whole = text.rstrip(_REPLACEMENT)  # the rest may become a character
        added = self._show(whole)
        if text and whole == text:
            self._end_piece()
        elif len(waiting) > _MOST_WAITING:
            added += self._shorten(text)
        return added

    def finish(self) -> str:
        """The rest of the text. The decoder can then be used for another one."""
        added = self._show(self._text_after_piece(self._waiting))
        self._piece, self._piece_text = [], ""
        self._waiting, self._shown = [], 0
        return added

    def _show(self, text: str) -> str:
        added = text[self._shown :]
        self._shown = max(self._shown, len(text))
        return added

    def _end_piece(self) -> None:
        """All text of the waiting tokens was shown."""
        piece = self._waiting
        text = self._decode(piece)
        if not text:  # spaces, which decoders leave out where a text begins
            piece = [*self._piece, *piece][-_MOST_WAITING:]
            text = self._decode(piece)
        self._piece, self._piece_text = piece, text
        self._waiting, self._shown = [], 0

    def _shorten(self, text: str) -> str:
        """Drops the first ones if many tokens wait: special tokens, bytes that never form a character, or
        tokens that each end one character and begin the next."""
        added = self._show(text[: max(0, len(text) - _MOST_UNFINISHED)])
        rest = text[self._shown :]
        kept = self._waiting[-_KEPT:]
        kept_text = self._text_after_piece(kept)
        if kept_text.endswith(rest):
            self._waiting, self._shown = kept, len(kept_text) - len(rest)
            return added
        added += self._show(text)
        self._waiting = kept
        self._end_piece()
        return added

    def _text_after_piece(self, tokens: list[int]) -> str:
        text = self._decode([*self._piece, *tokens])
        if text.startswith(self._piece_text):
            return text[len(self._piece_text) :]
        return self._decode(tokens)  # the decoder would change what was shown

    def _decode(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=self._skip_special_tokens)
