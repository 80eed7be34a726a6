"""Tokenizers of the library tiktoken."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onepack.errors import InvalidArgumentError, InvalidFileError
from onepack.text._imports import import_for_text
from onepack.text.config import TokenizerConfig
from onepack.text.tokenizer import Tokenizer

# How text is cut before pairs are merged; a tiktoken file does not say. This is what the models say
# whose tokenizers come as such files (cl100k_base, Llama 3).
_TIKTOKEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TiktokenTokenizer(Tokenizer):
    """A tiktoken file, by the library of that name."""

    def __init__(self, path: Path, ranks: dict[bytes, int], config: TokenizerConfig) -> None:
        super().__init__(config)
        library = import_for_text("tiktoken")
        self._special = {number: text for text, number in config.added_tokens.items()}
        try:
            self._encoding: Any = library.Encoding(
                name=str(path),
                pat_str=_TIKTOKEN_PATTERN,
                mergeable_ranks=ranks,
                special_tokens=config.added_tokens,
            )
        except Exception as error:
            raise InvalidFileError(f"{path}: {error}") from error

    @property
    def vocab_size(self) -> int:
        return int(self._encoding.n_vocab)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        tokens: list[int] = self._encoding.encode(text, disallowed_special=())
        bos = self.bos_id
        if not add_special_tokens or bos is None or self.config.add_bos_token is False:
            return tokens
        return [bos, *tokens]

    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        kept = [token for token in tokens if not (skip_special_tokens and token in self._special)]
        try:
            return str(self._encoding.decode(kept))
        except (KeyError, OverflowError) as error:
            raise InvalidArgumentError(f"no such token: {error}") from error

    def token_id(self, token: str) -> int | None:
        try:
            return int(self._encoding.encode_single_token(token))
        except KeyError:
            return None


def tiktoken_ranks(content: bytes) -> dict[bytes, int] | None:
    """None for what is no tiktoken file. Read here, because the library's own reader keeps copies of
    files in a folder of its own."""
    ranks: dict[bytes, int] = {}
    for line in content.splitlines():
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 2 or not parts[1].isdigit():
            return None
        try:
            ranks[base64.b64decode(parts[0], validate=True)] = int(parts[1])
        except binascii.Error:
            return None
    return ranks or None
