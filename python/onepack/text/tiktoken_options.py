"""What a tiktoken file does not say: how text is cut into words, and the special tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from onepack.errors import InvalidArgumentError
from onepack.text.config import TokenizerConfig
from onepack.text.unicode import is_unicode

_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{number}"
    r"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UP_TO_THREE_DIGITS = _PATTERN.format(number=r"\p{N}{1,3}")
_SINGLE_DIGITS = _PATTERN.format(number=r"\p{N}")

# By the file names that models are published with. The pattern of another file is not guessed: with a wrong
# one, text becomes wrong tokens, and nothing but the answers of the model would show it.
_PATTERNS = {
    "cl100k_base.tiktoken": _UP_TO_THREE_DIGITS,
    "tokenizer.model": _UP_TO_THREE_DIGITS,  # Llama 3
    "qwen.tiktoken": _SINGLE_DIGITS,
}


@dataclass(frozen=True)
class TiktokenOptions:
    """The keywords of Tokenizer.open()."""

    pattern: str | None
    special_tokens: Mapping[str, int] | None

    def refuse_for(self, path: Path) -> None:
        """Raises for a file that is not a tiktoken file, if there are any."""
        if self.pattern is not None or self.special_tokens is not None:
            raise InvalidArgumentError(
                f"{path}: pattern and special_tokens are for tiktoken files, and this is not one"
            )

    def pattern_for(self, path: Path) -> str:
        pattern = _PATTERNS.get(path.name) if self.pattern is None else self.pattern
        if pattern is None:
            raise InvalidArgumentError(
                f"{path}: a tiktoken file does not say how text is cut into words: pass pattern"
            )
        return pattern

    def added_to(self, config: TokenizerConfig, ranks: Mapping[bytes, int]) -> TokenizerConfig:
        """With the special tokens of the caller; ``ranks`` has the tokens of the file."""
        special = dict(self.special_tokens or {})
        if not special:
            return config
        taken = set(ranks.values())
        for text, number in special.items():
            # The library would never return for an empty text.
            if not text or not is_unicode(text) or not 0 <= number < 2**31 or number in taken:
                raise InvalidArgumentError(f"not a special token: {text!r} with id {number}")
        return replace(
            config,
            added_tokens={**config.added_tokens, **special},
            special_tokens={**config.special_tokens, **special},
        )
