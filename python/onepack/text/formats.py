"""One class for each kind of file."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onepack.errors import FileAccessError, InvalidArgumentError, InvalidFileError, NoSuchFileError
from onepack.text._imports import import_for_text
from onepack.text.config import TokenizerConfig
from onepack.text.tokenizer import Tokenizer

# How text is cut before pairs are merged; a tiktoken file does not say. This is what the models say
# whose tokenizers come as such files (cl100k_base, Llama 3).
_TIKTOKEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def open_file(path: Path, config: TokenizerConfig) -> Tokenizer:
    content = _read(path)
    if content.lstrip()[:1] == b"{":
        return HuggingFaceTokenizer(path, content, config)
    ranks = _tiktoken_ranks(content)
    if ranks is not None:
        return TiktokenTokenizer(path, ranks, config)
    return SentencePieceTokenizer(path, content, config)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        kind = NoSuchFileError if isinstance(error, FileNotFoundError) else FileAccessError
        refusal = kind(f"{path}: {error.strerror}")
        refusal.filename, refusal.errno = str(path), error.errno
        raise refusal from error


class HuggingFaceTokenizer(Tokenizer):
    """A tokenizer.json, by the library tokenizers."""

    def __init__(self, path: Path, content: bytes, config: TokenizerConfig) -> None:
        super().__init__(config)
        library = import_for_text("tokenizers")
        try:
            self._tokenizer = library.Tokenizer.from_str(content.decode("utf-8"))
        except Exception as error:  # the library raises no other class
            raise InvalidFileError(f"{path}: {error}") from error
        # What a training run had set: prompts are neither cut nor filled up.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @property
    def vocab_size(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        encoding = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return list(encoding.ids)

    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        numbers = list(tokens)
        for number in numbers:
            if number < 0 or self._tokenizer.id_to_token(number) is None:
                raise _no_such_token(number)
        return str(self._tokenizer.decode(numbers, skip_special_tokens=skip_special_tokens))

    def token_id(self, token: str) -> int | None:
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def _encode_template(self, text: str) -> list[int]:
        return self.encode(text, add_special_tokens=False)  # the library knows its special tokens


class SentencePieceTokenizer(Tokenizer):
    """A SentencePiece model, by the library of that name."""

    def __init__(self, path: Path, content: bytes, config: TokenizerConfig) -> None:
        super().__init__(config)
        library = import_for_text("sentencepiece")
        try:
            if not content:  # which the library takes for a model without pieces
                raise ValueError("it is empty")
            self._model = library.SentencePieceProcessor(model_proto=content)
        except Exception as error:
            raise InvalidFileError(
                f"{path}: no tokenizer.json, no tiktoken file and no SentencePiece model: {error}"
            ) from error
        self._added = {number: text for text, number in config.added_tokens.items()}

    @property
    def vocab_size(self) -> int:
        return max(int(self._model.get_piece_size()), *(number + 1 for number in self._added), 0)

    @property
    def bos_id(self) -> int | None:
        own = int(self._model.bos_id())
        return own if own >= 0 else super().bos_id

    @property
    def eos_ids(self) -> tuple[int, ...]:
        own = self._model.eos_id()
        return tuple(dict.fromkeys([*super().eos_ids, *([own] if own >= 0 else [])]))

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        tokens: list[int] = self._model.encode(text)
        if not add_special_tokens:
            return tokens
        bos = self.bos_id if self.config.add_bos_token is not False else None
        eos = self.eos_ids[:1] if self.config.add_eos_token else ()
        return [*(() if bos is None else (bos,)), *tokens, *eos]

    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        parts: list[str] = []
        run: list[int] = []  # of tokens that the model knows as text: decoded together
        for token in tokens:
            special = self._special_text(token)
            if special is None:
                run.append(token)
            elif not skip_special_tokens:
                parts += [self._model.decode(run), special]
                run = []
        return "".join([*parts, self._model.decode(run)])

    def token_id(self, token: str) -> int | None:
        if token in self.config.added_tokens:
            return self.config.added_tokens[token]
        found = self._model.piece_to_id(token)
        return None if self._model.id_to_piece(found) != token else int(found)

    def _special_text(self, token: int) -> str | None:
        """None for a token that is text."""
        if token in self._added:
            return self._added[token]
        if not 0 <= token < self._model.get_piece_size():
            raise _no_such_token(token)
        return str(self._model.id_to_piece(token)) if self._model.is_control(token) else None


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


def _no_such_token(token: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"no such token: {token}")


def _tiktoken_ranks(content: bytes) -> dict[bytes, int] | None:
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
