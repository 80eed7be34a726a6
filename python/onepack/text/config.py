"""tokenizer_config.json and what stands beside it, as Hugging Face's libraries write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onepack.errors import InvalidFileError, NoSuchFileError
from onepack.text.files import read_optional_file
from onepack.text.unicode import is_unicode

_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")


@dataclass(frozen=True)
class TokenizerConfig:
    """What the files beside a tokenizer say about it."""

    named_tokens: dict[str, str] = field(default_factory=dict)
    """bos_token, eos_token and so on, as text: what chat templates refer to."""
    added_tokens: dict[str, int] = field(default_factory=dict)
    """Tokens outside the tokenizer's own vocabulary, by their text. Some are special, others are text
    that an answer may contain, such as ``<think>``."""
    special_tokens: dict[str, int] = field(default_factory=dict)
    """The special ones of them, which ``skip_special_tokens`` leaves out."""
    chat_template: str | None = None
    add_bos_token: bool | None = None
    """None: as the tokenizer does by itself."""
    add_eos_token: bool = False

    @staticmethod
    def beside(tokenizer: Path) -> TokenizerConfig:
        """Read from the folder of a tokenizer's file; empty if nothing is there."""
        path = tokenizer.parent / "tokenizer_config.json"
        content = read_optional_file(path)
        try:
            config = _config_of(json.loads(content or b"{}"))
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            # All of them mean that a value in the file is not of the expected kind.
            raise InvalidFileError(f"{path}: {type(error).__name__}: {error}") from error
        # A template in its own file is the newer form, and Hugging Face's libraries prefer it, too.
        template = _read_template(tokenizer.parent / "chat_template.jinja")
        return config if template is None else replace(config, chat_template=template)


def _config_of(values: Any) -> TokenizerConfig:
    named = {name: _text_of(values[name]) for name in _NAMED_TOKENS if values.get(name)}
    entries = {
        _id_of(number): token for number, token in values.get("added_tokens_decoder", {}).items()
    }
    added = {_text_of(token): number for number, token in entries.items()}
    special = {
        text: number
        for text, number in added.items()
        if text in named.values() or entries[number].get("special", False)
    }
    return TokenizerConfig(
        named,
        added,
        special,
        _template_of(values.get("chat_template")),
        _flag_of(values.get("add_bos_token")),
        bool(_flag_of(values.get("add_eos_token"))),
    )


def _text_of(token: Any) -> str:
    text = token if isinstance(token, str) else token["content"]
    if not isinstance(text, str) or not text or not is_unicode(text):
        raise ValueError(f"the text of a token is expected: {text!r}")
    return text


def _id_of(number: str) -> int:
    value = int(number)
    if not 0 <= value < 2**31:
        raise ValueError(f"the id of a token is expected: {number}")
    return value


def _flag_of(value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError(f"true or false is expected: {value!r}")
    return value


def _template_of(template: Any) -> str | None:
    """The one named "default" where there are several."""
    if isinstance(template, list):
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    if template is not None and not isinstance(template, str):
        raise TypeError("chat_template: a text is expected")
    return template


def _read_template(path: Path) -> str | None:
    content = read_optional_file(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFileError(f"{path}: {error}") from error


def find_tokenizer(path: Path) -> Path:
    """``path`` itself, or the tokenizer's file in it if it is a folder."""
    if not path.is_dir():
        return path
    for pattern in ("tokenizer.json", "tokenizer.model", "*.tiktoken", "*.model"):
        for found in sorted(path.glob(pattern)):
            return found
    error = NoSuchFileError(f"{path}: no tokenizer.json, tokenizer.model or *.tiktoken")
    error.filename = str(path)
    raise error
