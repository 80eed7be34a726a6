"""Tokenizers of the library tokenizers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from onepack.errors import InvalidFileError
from onepack.text._imports import import_for_text
from onepack.text.config import TokenizerConfig
from onepack.text.tokenizer import Tokenizer, no_such_token


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

    def _encode(self, text: str, add_special_tokens: bool) -> list[int]:
        encoding = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return list(encoding.ids)

    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        numbers = list(tokens)
        for number in numbers:
            # The library takes 32 bits.
            if not 0 <= number < 2**32 or self._tokenizer.id_to_token(number) is None:
                raise no_such_token(number)
        return str(self._tokenizer.decode(numbers, skip_special_tokens=skip_special_tokens))

    def _token_id(self, token: str) -> int | None:
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def _encode_template(self, text: str) -> list[int]:
        return self.encode(text, add_special_tokens=False)  # the library knows its special tokens
