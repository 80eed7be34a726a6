"""Which library the file of a tokenizer is for."""

from __future__ import annotations

from pathlib import Path

from onepack.errors import FileAccessError, NoSuchFileError
from onepack.text.config import TokenizerConfig
from onepack.text.hugging_face import HuggingFaceTokenizer
from onepack.text.sentence_piece import SentencePieceTokenizer
from onepack.text.tiktoken_file import TiktokenTokenizer, tiktoken_ranks
from onepack.text.tokenizer import Tokenizer


def open_file(path: Path, config: TokenizerConfig) -> Tokenizer:
    content = _read(path)
    if content.lstrip()[:1] == b"{":
        return HuggingFaceTokenizer(path, content, config)
    ranks = tiktoken_ranks(content)
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
