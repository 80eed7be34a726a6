"""What prompts begin with is read once: kept contexts, which answers go on from.

Where may a prompt be cut, so that the answer stays the same, bit for bit? A model reads it in chunks,
and other chunks may round sums otherwise: it is cut after whole chunks only, counted from its start, so
that the calls before and after the cut are those that read it at one go. A context depends on nothing
but these calls, so it is the same whoever made them, and for whatever prompt. What a model has said is
never gone on from: it was read token by token, and is read in chunks where a later prompt repeats it.
"""

from __future__ import annotations

import bisect
import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onepack import Error, LanguageModel, OutOfMemoryError, StatusCode, context_bytes

_log = logging.getLogger("onepack.serve")


@dataclass(frozen=True)
class ContextLimits:
    """Of the contexts that are kept between answers, those of all models together."""

    bytes: int = 1 << 30
    """Memory. 0: none is kept."""
    count: int = 16
    """How many. Each takes mappings of memory, of which a process may not have many:
    LanguageModel::Fork says how many (include/onepack/language_model.h)."""
    chunk: int = 0
    """Tokens of a prompt for each call of a model; 0: as many as it takes. A model that takes a whole
    context in one call shares nothing without."""


@dataclass(frozen=True)
class KeptContexts:
    """What is there now."""

    count: int
    bytes: int
    """Pages that several have count once."""
    given_back: int
    """Since the start, for the limits."""


@dataclass(eq=False)
class _Prefix:
    """The beginning of a prompt, whole chunks, and a model that has read it and is only forked."""

    tokens: tuple[int, ...]
    model: LanguageModel
    used_at: int = 0
    """By the budget's clock."""


class ContextBudget:
    """Keeps what all stores have within the limits: those go that were not used for the longest time.

    A store goes with its model, and what it has goes with it: the budget holds neither.

    Threads: any.
    """

    def __init__(self, limits: ContextLimits) -> None:
        self.limits = limits
        # Of what the stores have. It is forked while this is held, and never read on or closed.
        self.lock = threading.Lock()
        self._stores: weakref.WeakSet[PrefixStore] = weakref.WeakSet()
        self._clock = itertools.count(1)
        self._given_back = 0

    @property
    def keeps_any(self) -> bool:
        return self.limits.bytes > 0 and self.limits.count > 0

    def add_store(self, store: PrefixStore) -> None:
        with self.lock:
            self._stores.add(store)

    def now(self) -> int:
        """REQUIRES: the lock."""
        return next(self._clock)

    def kept(self) -> KeptContexts:
        with self.lock:
            kept = [prefix for store in list(self._stores) for prefix in store.prefixes]
            return KeptContexts(len(kept), _bytes_of(kept), self._given_back)

    def enforce(self) -> None:
        """Gives back what is over the limits. Pages that an answer uses as well go with that."""
        self._give_back_while(self._is_exceeded_by)

    def give_back_all(self) -> None:
        self._give_back_while(bool)

    def _is_exceeded_by(self, kept: list[_Prefix]) -> bool:
        return len(kept) > self.limits.count or _bytes_of(kept) > self.limits.bytes

    def _give_back_while(self, is_exceeded: Callable[[list[_Prefix]], bool]) -> None:
        given_back = []
        with self.lock:
            stores = list(self._stores)
            owners = {prefix: store for store in stores for prefix in store.prefixes}
            kept = sorted(owners, key=lambda prefix: prefix.used_at, reverse=True)
            while is_exceeded(kept):
                oldest = kept.pop()
                owners[oldest].prefixes.remove(oldest)
                given_back.append(oldest)
            self._given_back += len(given_back)
        for prefix in given_back:
            prefix.model.close()


class PrefixStore:
    """Contexts of one model that have read the beginnings of prompts.

    An answer begins with a fork of the one that has most in common with its prompt, reads the rest, and
    leaves a fork of its own on the way: after the last whole chunk of its prompt. So the next message of
    the conversation goes on there, and another conversation with the same system messages where those
    differ, rounded down to a chunk.

    Threads: any.

    Args:
        root: Has read nothing, and is only forked.
    """

    def __init__(self, root: LanguageModel, budget: ContextBudget) -> None:
        self.prefixes: list[_Prefix] = []  # guarded by the budget's lock
        self.chunk = min(budget.limits.chunk or root.max_chunk, root.max_chunk)
        self._root = root
        self._budget = budget
        # Whether a context can go back to less than it has read; a recurrent state cannot.
        self._can_rewind: bool | None = None  # None: not known yet
        budget.add_store(self)

    def begin(self, prompt: Sequence[int]) -> LanguageModel:
        """A model of the caller's own that has read whole chunks of ``prompt``, or nothing, and not all
        of it: what comes after the last token is known when it is read. close() it."""
        try:
            return self._fork_of_longest(prompt)
        except OutOfMemoryError:  # also where the process has as many mappings as it may
            self._budget.give_back_all()
            return self._fork_of_longest(prompt)

    def cuts(self, prompt: Sequence[int], begun: int) -> list[int]:
        """Where to keep a context while ``prompt`` is read from ``begun`` on. Ascending."""
        if not self._budget.keeps_any:
            return []
        cuts = {self._last_cut(prompt)}
        if self._can_rewind is False:
            # Others have begun like this, and could not be gone back to.
            with self._budget.lock:
                cuts.add(max((self._common(p, prompt) for p in self.prefixes), default=0))
        return sorted(cut for cut in cuts if cut > begun)

    def keep(self, model: LanguageModel) -> None:
        """Keeps a fork of ``model``, which has read whole chunks of a prompt. Where that fails, nothing
        is kept: the answer goes on."""
        try:
            prefix = _Prefix(tuple(model.context), model.fork())
            self._find_whether_it_rewinds(model)
        except Error:
            _log.warning("a context of %s is not kept", model.name, exc_info=True)
            return
        with self._budget.lock:
            prefix.used_at = self._budget.now()
            replaced = [other for other in self.prefixes if self._is_in(other, prefix)]
            self.prefixes = [p for p in self.prefixes if p not in replaced] + [prefix]
        for other in replaced:
            other.model.close()
        self._budget.enforce()

    def _fork_of_longest(self, prompt: Sequence[int]) -> LanguageModel:
        with self._budget.lock:
            prefix, count = self._longest(prompt)
            if prefix is None:
                return self._root.fork()
            prefix.used_at = self._budget.now()
            fork = prefix.model.fork()
        if count == len(prefix.tokens) or self._rewinds(fork, count):
            return fork
        fork.close()
        return self._fork_of_longest(prompt)  # of one that needs no way back

    def _find_whether_it_rewinds(self, model: LanguageModel) -> None:
        """Once for a model, as soon as there is something to go back from."""
        if self._can_rewind is None and len(model.context) > 1:
            with model.fork() as fork:
                self._rewinds(fork, len(model.context) - 1)

    def _rewinds(self, model: LanguageModel, count: int) -> bool:
        try:
            model.rewind(count)
        except Error as error:
            if error.code != StatusCode.UNSUPPORTED:
                raise
            self._can_rewind = False
            return False
        self._can_rewind = True
        return True

    def _longest(self, prompt: Sequence[int]) -> tuple[_Prefix | None, int]:
        """And how many of its tokens are the prompt's."""
        best, most = None, 0
        for prefix in self.prefixes:
            count = self._common(prefix, prompt)
            if self._can_rewind is False and count < len(prefix.tokens):
                continue
            # Of equals the shortest: nothing in it is of no use.
            if count > most or (best and count == most and len(prefix.tokens) < len(best.tokens)):
                best, most = prefix, count
        return best, most

    def _common(self, prefix: _Prefix, prompt: Sequence[int]) -> int:
        """Tokens: whole chunks."""
        most = min(len(prefix.tokens), self._last_cut(prompt))
        ends = range(self.chunk, most + 1, self.chunk)
        tokens = tuple(prompt[:most])
        return self.chunk * bisect.bisect_left(
            ends, True, key=lambda end: prefix.tokens[:end] != tokens[:end]
        )

    def _last_cut(self, prompt: Sequence[int]) -> int:
        """One token at least is left."""
        return max(len(prompt) - 1, 0) // self.chunk * self.chunk

    def _is_in(self, prefix: _Prefix, other: _Prefix) -> bool:
        """Whether whatever ``prefix`` is good for, ``other`` is as well."""
        begins_alike = other.tokens[: len(prefix.tokens)] == prefix.tokens
        return begins_alike and (
            self._can_rewind is True or len(prefix.tokens) == len(other.tokens)
        )


def _bytes_of(prefixes: Sequence[_Prefix]) -> int:
    return context_bytes(prefix.model for prefix in prefixes)
