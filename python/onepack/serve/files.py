"""From files to an engine that answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onepack import Backend, Error, LinearLayout, WeightCache
from onepack.serve.engine import Engine
from onepack.serve.models import Models
from onepack.serve.prefixes import ContextLimits
from onepack.text import ChatTemplate, Tokenizer


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter: its program, and the data files that are its own."""

    name: str
    program: Path
    data: tuple[Path, ...] = ()


@dataclass(frozen=True)
class EngineFiles:
    """What a server is started with."""

    program: Path
    """The base's."""
    data: tuple[Path, ...]
    """The foundation."""
    tokenizer: Path
    """A file or a folder, for Tokenizer.open()."""
    adapters: tuple[AdapterFiles, ...] = ()
    name: str = ""
    """The base's; empty: the program's, without its ending."""
    packed_file: Path | None = None
    """For the WeightCache."""


def api_key_in(text: str, origin: Path | str) -> str:
    """Without the white space around it. ValueError: nothing is left of what ``origin`` has."""
    if not text.strip():
        raise ValueError(f"the API key is empty: {origin}")
    return text.strip()


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0))


def open_engine(
    files: EngineFiles,
    *,
    parallel: int = 0,
    queue_limit: int = 64,
    threads: int = 1,
    linears: LinearLayout = LinearLayout.AUTO,
    contexts: ContextLimits | None = None,
) -> Engine:
    """Loads the base and the adapters. close() the engine.

    Args:
        parallel: How many models run at a time. 0: as many as there are cores.
        queue_limit: How many requests wait at a time.
        threads: Of the backend: models that run at the same time take turns at them.
        linears: Of the backend.
        contexts: The limits of what is kept of prompts, for those that begin alike.

    Raises:
        Error: What a model raises, named in the message.
        FileNotFoundError, ImportError: What Tokenizer.open() raises.
        InvalidFileError: The chat template is no template.
    """
    tokenizer = _open_tokenizer(files.tokenizer)
    cache = WeightCache(packed_file=files.packed_file)
    backend = Backend(cache, threads=threads, linears=linears)
    name = files.name or files.program.stem
    models = Models(
        name, files.program, files.data, cache=cache, backend=backend, contexts=contexts
    )
    _add_adapters(models, files.adapters)
    return Engine(models, tokenizer, parallel=parallel or cores(), queue_limit=queue_limit)


def _open_tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.open(path)
    template = tokenizer.config.chat_template
    if template is not None:
        # It is compiled with the first chat: a wrong one fails now, and not for every client.
        ChatTemplate(template, tokenizer.config.named_tokens)
    return tokenizer


def _add_adapters(models: Models, adapters: Sequence[AdapterFiles]) -> None:
    for adapter in adapters:
        try:
            models.add(adapter.name, adapter.program, adapter.data)
        except Error as error:
            error.args = (f"adapter {adapter.name!r}: {error}",)
            raise
