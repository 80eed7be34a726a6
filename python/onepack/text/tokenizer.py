"""Text to tokens and back, whichever library the tokenizer's file is for."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onepack.errors import InvalidArgumentError
from onepack.text.chat import ChatTemplate, Message
from onepack.text.config import TokenizerConfig, find_tokenizer
from onepack.text.unicode import is_unicode


class Tokenizer(ABC):
    """Opened with Tokenizer.open(). Threads: any."""

    def __init__(self, config: TokenizerConfig) -> None:
        self.config = config
        self._template: ChatTemplate | None = None

    @staticmethod
    def open(
        path: str | os.PathLike[str],
        *,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Tokenizer:
        """The tokenizer in a file, or in a folder as Hugging Face's libraries write it.

        The content of the file decides what it is: a ``tokenizer.json`` (library tokenizers), a
        SentencePiece model, or a tiktoken file (lines of base64 and a number). A
        ``tokenizer_config.json`` beside it lists the special tokens and may contain the chat template;
        a ``chat_template.jinja`` beside it is used instead of that.

        The keywords are for tiktoken files, which contain neither a pattern nor special tokens:

        Args:
            pattern: The regular expression that cuts text into words. The default is known by the
                file's name for ``cl100k_base.tiktoken`` and ``qwen.tiktoken``, and a
                ``tokenizer.model`` is assumed to be Llama 3's. Any other file needs it.
            special_tokens: Ids by text, in addition to those of the ``tokenizer_config.json``.
                Only that file says which of them is bos or eos: without it ``bos_id`` is None and
                ``eos_ids`` is empty.

        Raises:
            FileNotFoundError: There is no such file, or no tokenizer in the folder.
            InvalidFileError: The file is in none of these formats, or it or a file beside it is damaged.
            InvalidArgumentError: The file needs a pattern, a keyword is not valid, or a keyword is given
                for a file that is not a tiktoken file.
            ImportError: The library that reads this format is not installed.
        """
        from onepack.text.formats import open_file
        from onepack.text.tiktoken_options import TiktokenOptions

        file = find_tokenizer(Path(path))
        options = TiktokenOptions(pattern, special_tokens)
        return open_file(file, TokenizerConfig.beside(file), options)

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """How many token ids there are, special ones included."""

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """``add_special_tokens``: adds what a text begins and ends with, such as bos.
        InvalidArgumentError: the text contains a lone surrogate, which UTF-8 cannot encode."""
        if not is_unicode(text):
            raise InvalidArgumentError("the text contains a lone surrogate")
        return self._encode(text, add_special_tokens)

    @abstractmethod
    def decode(self, tokens: Iterable[int], *, skip_special_tokens: bool = True) -> str:
        """Bytes that do not form a character become U+FFFD. Use StreamDecoder for tokens as they come.
        InvalidArgumentError: a token that the tokenizer does not have."""

    def token_id(self, token: str) -> int | None:
        """The id of a token with this text; None if there is no such token."""
        return self._token_id(token) if is_unicode(token) else None

    @property
    def bos_id(self) -> int | None:
        """The token that a text begins with, if the tokenizer has one."""
        return self._named_id("bos_token")

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer: pass them as ``stop_tokens``."""
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

    @abstractmethod
    def _encode(self, text: str, add_special_tokens: bool) -> list[int]: ...

    @abstractmethod
    def _token_id(self, token: str) -> int | None: ...

    def _encode_template(self, text: str) -> list[int]:
        """Encodes the text that a template made, which contains its special tokens already."""
        added = self.config.added_tokens
        if not added:
            return self.encode(text, add_special_tokens=False)
        longest_first = sorted(added, key=len, reverse=True)
        tokens: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text):
            if part in added:
                tokens.append(added[part])
            elif part:
                tokens += self.encode(part, add_special_tokens=False)
        return tokens

    def _named_id(self, name: str) -> int | None:
        text = self.config.named_tokens.get(name)
        return None if text is None else self.token_id(text)


def no_such_token(token: int) -> InvalidArgumentError:
    return InvalidArgumentError(f"no such token: {token}")
