"""Tokenizers of the library sentencepiece."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from onepack.errors import InvalidFileError
from onepack.text._imports import import_for_text
from onepack.text.config import TokenizerConfig
from onepack.text.tokenizer import Tokenizer, no_such_token


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
                f"{path}: neither a tokenizer.json nor a tiktoken file nor a SentencePiece model:"
                f" {error}"
            ) from error
        self._added = {number: text for text, number in config.added_tokens.items()}
        self._special = set(config.special_tokens.values())

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

    def _encode(self, text: str, add_special_tokens: bool) -> list[int]:
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
            text = self._own_text(token)
            if text is None:
                run.append(token)
            elif not (skip_special_tokens and self._is_special(token)):
                parts += [self._model.decode(run), text]
                run = []
        return "".join([*parts, self._model.decode(run)])

    def _token_id(self, token: str) -> int | None:
        if token in self.config.added_tokens:
            return self.config.added_tokens[token]
        found = self._model.piece_to_id(token)
        return None if self._model.id_to_piece(found) != token else int(found)

    def _own_text(self, token: int) -> str | None:
        """None for a token whose text depends on those before it."""
        if token in self._added:
            return self._added[token]
        if not 0 <= token < self._model.get_piece_size():
            raise no_such_token(token)
        return str(self._model.id_to_piece(token)) if self._model.is_control(token) else None

    def _is_special(self, token: int) -> bool:
        """Of a token with text of its own: the model's control tokens are special, too."""
        return token in self._special or token not in self._added
