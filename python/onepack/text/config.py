"""tokenizer_config.json and what stands beside it, as Hugging Face's libraries write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onepack.errors import InvalidFileError, NoSuchFileError

_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")


@dataclass(frozen=True)
class TokenizerConfig:
    """What a folder says of its tokenizer, besides the tokenizer itself."""

    named_tokens: dict[str, str] = field(default_factory=dict)
    """bos_token, eos_token and so on, as text: what chat templates refer to."""
    added_tokens: dict[str, int] = field(default_factory=dict)
    """Special tokens by their text."""
    chat_template: str | None = None
    add_bos_token: bool | None = None
    """None: the tokenizer's own way."""
    add_eos_token: bool = False

    @staticmethod
    def beside(tokenizer: Path) -> TokenizerConfig:
        """Of the folder of a tokenizer's file; empty where it says nothing."""
        config = read_json(tokenizer.parent / "tokenizer_config.json")
        template = _template_of(config)
        template_file = tokenizer.parent / "chat_template.jinja"
        if template is None and template_file.is_file():
            template = template_file.read_text(encoding="utf-8")
        return TokenizerConfig(
            {name: _text_of(config[name]) for name in _NAMED_TOKENS if config.get(name)},
            _added_tokens_of(config),
            template,
            config.get("add_bos_token"),
            bool(config.get("add_eos_token", False)),
        )


def read_json(path: Path) -> dict[str, Any]:
    """Empty for a file that is not there."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InvalidFileError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise InvalidFileError(f"{path}: an object is expected")
    return value


def _text_of(token: str | dict[str, Any]) -> str:
    return token if isinstance(token, str) else str(token["content"])


def _added_tokens_of(config: dict[str, Any]) -> dict[str, int]:
    added = config.get("added_tokens_decoder", {})
    return {_text_of(token): int(number) for number, token in added.items()}


def _template_of(config: dict[str, Any]) -> str | None:
    """The one named "default" where there are several."""
    template = config.get("chat_template")
    if isinstance(template, list):
        by_name = {entry["name"]: entry["template"] for entry in template}
        template = by_name.get("default")
    return template


def find_tokenizer(path: Path) -> Path:
    """The tokenizer's file, where ``path`` is a folder."""
    if not path.is_dir():
        return path
    for pattern in ("tokenizer.json", "tokenizer.model", "*.tiktoken", "*.model"):
        for found in sorted(path.glob(pattern)):
            return found
    error = NoSuchFileError(f"{path}: no tokenizer.json, tokenizer.model or *.tiktoken")
    error.filename = str(path)
    raise error
