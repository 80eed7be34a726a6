"""Tokenizers of the library tiktoken."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onepack.errors import InvalidArgumentError, InvalidFileError
from onepack.text._imports import import_for_text
from onepack.text.config import TokenizerConfig
from onepack.text.tiktoken_options import TiktokenOptions
from onepack.text.tokenizer import Tokenizer


class TiktokenTokenizer(Tokenizer):
    """A tiktoken file, by the library of that name."""

    def __init__(
        self,
        path: Path,
        ranks: dict[bytes, int],
        config: TokenizerConfig,
        options: TiktokenOptions,
    ) -> None:
        super().__init__(options.added_to(config, ranks))
        library = import_for_text("tiktoken")
        self._special = set(self.config.special_tokens.values())
        pattern = options.pattern_for(path)
        try:
            self._encoding: Any = library.Encoding(
                name=str(path),
                pat_str=pattern,
                mergeable_ranks=ranks,
                special_tokens=self.config.added_tokens,
            )
        except Exception as error:
            # The file was checked before, so it is the pattern if the caller passed one.
            kind = InvalidFileError if options.pattern is None else InvalidArgumentError
            raise kind(f"{path}: {error}") from error

    @property
    def vocab_size(self) -> int:
        return int(self._encoding.n_vocab)

    def _encode(self, text: str, add_special_tokens: bool) -> list[int]:
        try:
            tokens: list[int] = self._encoding.encode(text, disallowed_special=())
        except ValueError as error:  # the pattern gives up, as with a million spaces in a row
            raise InvalidArgumentError(f"the text cannot be encoded: {error}") from error
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

    def _token_id(self, token: str) -> int | None:
        try:
            return int(self._encoding.encode_single_token(token))
        except KeyError:
            return None


def tiktoken_ranks(path: Path, content: bytes) -> dict[bytes, int] | None:
    """None if it is not a tiktoken file. It is parsed here, because the library's own reader keeps copies
    of files in its own folder."""
    lines = [line.split() for line in content.splitlines() if line.strip()]
    if not lines or not all(len(parts) == 2 and parts[1].isdigit() for parts in lines):
        return None
    try:
        pairs = [(base64.b64decode(piece, validate=True), int(rank)) for piece, rank in lines]
    except ValueError:
        return None
    ranks = dict(pairs)
    _check(path, ranks, len(pairs))
    return ranks


def _check(path: Path, ranks: dict[bytes, int], count: int) -> None:
    """The library panics otherwise, with an exception that ``except Exception`` does not catch."""
    if not len(ranks) == len(set(ranks.values())) == count:
        raise InvalidFileError(f"{path}: two lines have the same token or the same rank")
    missing = [value for value in range(256) if bytes([value]) not in ranks]
    if missing:
        raise InvalidFileError(f"{path}: no token for the single byte 0x{missing[0]:02x}")
