"""Text to tokens and back, whichever library the tokenizer's file is for."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from onepack.errors import InvalidArgumentError
from onepack.text.chat import ChatTemplate, Message
from onepack.text.config import TokenizerConfig, find_tokenizer


class Tokenizer(ABC):
    """Opened with Tokenizer.open(). Threads: any."""

    def __init__(self, config: TokenizerConfig) -> None:
        self.config = config
        self._template: ChatTemplate | None = None

    @staticmethod
    def open(path: str | os.PathLike[str]) -> Tokenizer:
        """The tokenizer in a file, or in a folder as Hugging Face's libraries write it.

        What the file begins with says what it is: a ``tokenizer.json`` (library tokenizers), a
        SentencePiece model, or a tiktoken file (lines of base64 and a number). A
        ``tokenizer_config.json`` beside it says the special tokens and the chat template.

        Raises:
            FileNotFoundError: There is none.
            InvalidFileError: It is none of these, or damaged.
            ImportError: The library that it needs is not installed.
        """
        from onepack.text.formats import open_file

        file = find_tokenizer(Path(path))
        return open_file(file, TokenizerConfig.beside(file))

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """How many token ids there are, special ones included."""

    @abstractmethod
    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """``add_special_tokens``: what a text begins and ends with, such as bos."""

    @abstractmethod
    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """Bytes that are no character become U+FFFD; StreamDecoder is for tokens as they come.
        InvalidArgumentError: a token that there is not."""

    @abstractmethod
    def token_id(self, token: str) -> int | None:
        """Of a token by its text; None where there is none."""

    @property
    def bos_id(self) -> int | None:
        """What a text begins with."""
        return self._named_id("bos_token")

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """What ends an answer: for ``stop_tokens``."""
        found = self._named_id("eos_token")
        return () if found is None else (found,)

    def apply_chat_template(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> str:
        """The conversation as text (ChatTemplate.render). InvalidArgumentError: there is no template."""
        if self._template is None:
            if self.config.chat_template is None:
                raise InvalidArgumentError("this tokenizer has no chat template")
            self._template = ChatTemplate(self.config.chat_template, self.config.named_tokens)
        return self._template.render(
            messages, add_generation_prompt=add_generation_prompt, **variables
        )

    def encode_chat(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> list[int]:
        """The conversation as tokens, special ones where the template writes their text. (A message
        that contains such a text gets them, too, as with Hugging Face's libraries.)"""
        text = self.apply_chat_template(
            messages, add_generation_prompt=add_generation_prompt, **variables
        )
        return self._encode_template(text)

    def _encode_template(self, text: str) -> list[int]:
        """Of a text that a template made: special tokens are in it already."""
        special = self.config.added_tokens
        if not special:
            return self.encode(text, add_special_tokens=False)
        longest_first = sorted(special, key=len, reverse=True)
        tokens: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
            if part in special:
                tokens.append(special[part])
            elif part:
                tokens += self.encode(part, add_special_tokens=False)
        return tokens

    def _named_id(self, name: str) -> int | None:
        text = self.config.named_tokens.get(name)
        return None if text is None else self.token_id(text)


def no_such_token(token: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"no such token: {token}")
