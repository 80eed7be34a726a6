"""What is served: the base and its adapters, over one foundation."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from onepack import (
    Backend,
    Error,
    InvalidArgumentError,
    LanguageModel,
    NamedData,
    NotFoundError,
    Program,
    StatusCode,
    WeightCache,
    WeightCacheStats,
)
from onepack.serve.prefixes import ContextBudget, ContextLimits, PrefixStore

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class ModelMemory:
    """What the weights of a model cost over those that were there when it was loaded. On top come a KV
    cache and activations while it answers, and the contexts that are kept (prefixes.py)."""

    packed_bytes: int
    """Packed copies, in memory of their own."""
    in_place_bytes: int
    """Used as they lie in the file: pages of the file, which the system may drop and read again."""
    copied_bytes: int
    """Used as stored, and copied because they lie where they cannot be used."""
    file_bytes: int
    """Size of its files, of the base with the foundation. They are mapped: of what the cache does not
    keep, such as embeddings, the pages that are read are in memory, once for all processes."""


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that answers. Whoever has it may let it answer, also when it was dropped."""

    name: str
    is_base: bool
    language_model: LanguageModel
    """Answers, in turns, and is empty between them."""
    prefixes: PrefixStore
    memory: ModelMemory
    created: int = field(default_factory=lambda: int(time.time()))
    """Seconds since 1970."""


class Models:
    """Models by name. The base is there from the start to the end.

    The pool of the core (AdapterPool) does not say what a model is, such as how long its context is,
    so these are LanguageModels; the cache shares the foundation among them all the same.

    Threads: any. Loads take turns, so that what a model costs can be told; answers go on meanwhile.

    Args:
        name: Of the base.
        program: Of the base, which needs the foundation only.
        foundation: Data files.
        contexts: The limits of what is kept of prompts.

    Raises:
        Error: What LanguageModel raises.
    """

    def __init__(
        self,
        name: str,
        program: Path,
        foundation: Sequence[Path],
        *,
        cache: WeightCache,
        backend: Backend,
        contexts: ContextLimits | None = None,
    ) -> None:
        self.cache = cache
        self.contexts = ContextBudget(contexts or ContextLimits())
        self._backend = backend
        self._foundation_files = tuple(foundation)
        self._foundation = [NamedData(path) for path in foundation]
        self._loading = threading.Lock()
        self._lock = threading.Lock()  # of _models; nothing is loaded while it is held
        self.base = self._load(name, program, [], is_base=True)
        self._models = {name: self.base}

    def all(self) -> list[ServedModel]:
        """The base, and the adapters in alphabetical order."""
        with self._lock:
            models = list(self._models.values())
        return sorted(models, key=lambda model: (not model.is_base, model.name))

    def find(self, name: str) -> ServedModel:
        """NotFoundError: there is none."""
        with self._lock:
            model = self._models.get(name)
        if model is None:
            raise NotFoundError(f"no model {name!r}")
        return model

    def add(self, name: str, program: Path, data: Sequence[Path]) -> ServedModel:
        """Loads an adapter; what is refused changes nothing for the others.

        Raises:
            AdapterExistsError: The name is taken.
            Error: What LanguageModel raises; MISMATCH for one that uses nothing of the foundation.
        """
        with self._loading:
            self._check_is_free(name)  # before anything is loaded; nobody else adds meanwhile
            model = self._load(name, program, data, is_base=False)
            with self._lock:
                self._models[name] = model
        return model

    def load(self, name: str, program: Path, data: Sequence[Path]) -> ServedModel:
        """As ``add``, but who calls has the adapter, and nobody else finds it.

        Raises:
            Error: As for ``add``.
        """
        with self._loading:
            return self._load(name, program, data, is_base=False)

    def drop(self, name: str) -> None:
        """Requests that have it are answered to the end; what it costs goes back with the last one.

        Raises:
            NotFoundError: There is none.
            InvalidArgumentError: It is the base.
        """
        with self._lock:
            if self._models.get(name) is self.base:
                raise InvalidArgumentError(f"{name!r} is the base, which stays")
            dropped = self._models.pop(name, None)  # unmapped when this returns, without the lock
        if dropped is None:
            raise NotFoundError(f"no adapter {name!r}")

    def _check_is_free(self, name: str) -> None:
        with self._lock:
            if name in self._models:
                raise AdapterExistsError(f"there is a model {name!r} already")

    def _load(
        self, name: str, program: Path, data: Sequence[Path], *, is_base: bool
    ) -> ServedModel:
        with Program(program) as opened:
            own = [NamedData(path) for path in data]
            before = self.cache.stats()
            model = self._language_model(opened, [*self._foundation, *own])
            after = self.cache.stats()
            if not is_base and before.hits == after.hits and self._needs_only(opened, own):
                raise _of_another_foundation(name, opened)
        files = [program, *data, *(self._foundation_files if is_base else ())]
        memory = _memory(before, after, sum(os.path.getsize(file) for file in files))
        return ServedModel(name, is_base, model, PrefixStore(model, self.contexts), memory)

    def _language_model(self, program: Program, data: list[NamedData]) -> LanguageModel:
        return LanguageModel(program, backend=self._backend, data=data)

    def _needs_only(self, program: Program, own: list[NamedData]) -> bool:
        """Whether it loads without the foundation. Asked where no weight was there before, which may
        also be because its weights are not of the kind that the cache keeps."""
        try:
            self._language_model(program, own).close()
        except Error:
            return False
        return True


class AdapterExistsError(InvalidArgumentError):
    """There is one of that name."""


def _of_another_foundation(name: str, program: Program) -> Error:
    error = Error(f"adapter {name!r}: {program.name} uses nothing of the foundation")
    error.code = StatusCode.MISMATCH
    return error


def _memory(before: WeightCacheStats, after: WeightCacheStats, file_bytes: int) -> ModelMemory:
    return ModelMemory(
        after.bytes - before.bytes,
        after.in_place_bytes - before.in_place_bytes,
        after.copied_bytes - before.copied_bytes,
        file_bytes,
    )
