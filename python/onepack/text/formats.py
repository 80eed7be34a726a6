"""Which library the file of a tokenizer is for."""

from __future__ import annotations

from pathlib import Path

from onepack.text.config import TokenizerConfig
from onepack.text.files import read_file
from onepack.text.hugging_face import HuggingFaceTokenizer
from onepack.text.sentence_piece import SentencePieceTokenizer
from onepack.text.tiktoken_file import TiktokenTokenizer, tiktoken_ranks
from onepack.text.tiktoken_options import TiktokenOptions
from onepack.text.tokenizer import Tokenizer


def open_file(path: Path, config: TokenizerConfig, options: TiktokenOptions) -> Tokenizer:
    content = read_file(path)
    is_json = content.lstrip()[:1] == b"{"
    ranks = None if is_json else tiktoken_ranks(path, content)
    if ranks is not None:
        return TiktokenTokenizer(path, ranks, config, options)
    options.refuse_for(path)
    kind = HuggingFaceTokenizer if is_json else SentencePieceTokenizer
    return kind(path, content, config)
