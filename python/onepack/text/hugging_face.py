"""Tokenizers of the library tokenizers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from onepack.errors import Error, InvalidArgumentError, InvalidFileError
from onepack.text._imports import import_for_text
from onepack.text.config import TokenizerConfig
from onepack.text.tokenizer import Tokenizer, no_such_token


class HuggingFaceTokenizer(Tokenizer):
    """A tokenizer.json, by the library tokenizers."""

    def __init__(self, path: Path, content: bytes, config: TokenizerConfig) -> None:
        super().__init__(config)
        library = import_for_text("tokenizers")
        self._path = path
        with _failures_as(InvalidFileError, path):
            self._tokenizer = library.Tokenizer.from_str(content.decode("utf-8"))
        # What a training run had set: prompts are neither cut nor filled up.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @property
    def vocab_size(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def _encode(self, text: str, add_special_tokens: bool) -> list[int]:
        with _failures_as(InvalidArgumentError, self._path):
            encoding = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return list(encoding.ids)

    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        numbers = list(tokens)
        for number in numbers:
            # The library takes 32 bits.
            if not 0 <= number < 2**32 or self._tokenizer.id_to_token(number) is None:
                raise no_such_token(number)
        with _failures_as(InvalidFileError, self._path):
            return str(self._tokenizer.decode(numbers, skip_special_tokens=skip_special_tokens))

    def _token_id(self, token: str) -> int | None:
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def _encode_template(self, text: str) -> list[int]:
        return self.encode(text, add_special_tokens=False)  # the library knows its special tokens


@contextmanager
def _failures_as(kind: type[Error], path: Path) -> Iterator[None]:
    """Raises ``kind`` for what the library raises: Exception, and PanicException where it does not
    expect what a damaged file says. That is a BaseException, of a class that cannot be imported."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise  # KeyboardInterrupt
        raise kind(f"{path}: {error}") from error
