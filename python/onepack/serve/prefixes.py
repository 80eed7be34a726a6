"""What prompts begin with is read once: kept contexts, which answers go on from.

A model answers in its own context, which is empty between answers. Only where a prompt begins like one
before it, a fork is kept where that beginning ends, and later prompts that begin so are answered in
forks of that. Who shares nothing pays nothing.

Where may a prompt be cut, so that the answer stays the same, bit for bit? A model reads it in chunks,
and other chunks may round sums otherwise: it is cut after whole chunks only, counted from its start, so
that the calls before and after the cut are those that read it at one go. A context depends on nothing
but these calls, so it is the same whoever made them, and for whatever prompt. What a model has said is
never gone on from: it was read token by token, and is read in chunks where a later prompt repeats it.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from onepack import Error, LanguageModel, OutOfMemoryError, StatusCode, context_bytes
from onepack.serve.machine_memory import memory_limit
from onepack.serve.seen import SeenBeginnings

_log = logging.getLogger("onepack.serve")


def default_context_bytes() -> int:
    """1 GiB, or an eighth of the memory that the process may have where that is less."""
    return min(1 << 30, memory_limit() // 8)


@dataclass(frozen=True)
class ContextLimits:
    """Of the contexts that are kept between answers, those of all models together."""

    bytes: int = field(default_factory=default_context_bytes)
    """Memory. 0: none is kept."""
    count: int = 8
    """How many. Each may take 4,097 mappings of memory, of the 65,530 that a process may have as a
    rule: LanguageModel::Fork says more (include/onepack/language_model.h)."""
    chunk: int = 0
    """Tokens of a prompt for each call of a model; 0: as many as it takes. A model that takes a whole
    context in one call shares nothing without."""


@dataclass(frozen=True)
class KeptContexts:
    """What is there, as of the last change."""

    count: int
    bytes: int
    """Pages that several have count once."""
    given_back: int = 0
    """Since the start, for the limits or because memory was short."""


@dataclass(eq=False)
class _Prefix:
    """The beginning of a prompt, whole chunks, and a model that has read it and is only forked."""

    tokens: tuple[int, ...]
    model: LanguageModel
    used_at: int
    """By the budget's clock."""


class ContextBudget:
    """Keeps what all stores have within the limits: those go that were not used for the longest time.

    A store goes with its model, and what it has goes with it: the budget holds neither.

    Threads: any.
    """

    def __init__(self, limits: ContextLimits) -> None:
        self.limits = limits
        # Of what the stores have. It is forked and counted while this is held, and never read on.
        self.lock = threading.Lock()
        self._stores: weakref.WeakSet[PrefixStore] = weakref.WeakSet()
        self._stores_lock = threading.Lock()  # held for no longer than they are listed
        self._clock = itertools.count(1)
        self._given_back = 0

    @property
    def keeps_any(self) -> bool:
        return self.limits.bytes > 0 and self.limits.count > 0

    def add_store(self, store: PrefixStore) -> None:
        with self._stores_lock:
            self._stores.add(store)

    def now(self) -> int:
        return next(self._clock)

    def kept(self) -> KeptContexts:
        """Waits for no model."""
        sizes = [store.size for store in self._all_stores()]
        return KeptContexts(
            sum(size.count for size in sizes), sum(size.bytes for size in sizes), self._given_back
        )

    def make_room(self, store: PrefixStore, model: LanguageModel) -> bool:
        """Gives back what has to go before ``store`` keeps a fork of ``model``. False: by itself it is
        over the limit; nothing was given back."""
        if context_bytes([model]) > self.limits.bytes:
            return False
        self._give_back_until(lambda: self._fits(store, [model]))
        return True

    def enforce(self, store: PrefixStore) -> None:
        """Gives back what is over the limits, after ``store`` has kept one more."""
        self._give_back_until(lambda: self._fits(store, []))

    def give_back_all(self) -> None:
        """Counts nothing: that takes memory, which may be short."""
        given_back: list[_Prefix] = []
        with self.lock:
            for store in self._all_stores():
                given_back += store.kept
                store.kept.clear()
                store.size = KeptContexts(0, 0)
            self._given_back += len(given_back)
        for prefix in given_back:
            prefix.model.close()

    def _fits(self, store: PrefixStore, more: list[LanguageModel]) -> bool:
        """Whether what there is and ``more`` of the store's does. Models share no pages."""
        others = [other.size for other in self._all_stores() if other is not store]
        own = [prefix.model for prefix in store.kept] + more
        count = sum(size.count for size in others) + len(own)
        size = sum(size.bytes for size in others) + context_bytes(own)
        return count <= self.limits.count and size <= self.limits.bytes

    def _give_back_until(self, is_enough: Callable[[], bool]) -> None:
        given_back: list[_Prefix] = []
        try:
            with self.lock:
                while not is_enough() and (oldest := self._oldest()) is not None:
                    store, prefix = oldest
                    store.kept.remove(prefix)
                    given_back.append(prefix)
                    self._given_back += 1
                    store.count_again()
        finally:
            for prefix in given_back:
                prefix.model.close()

    def _oldest(self) -> tuple[PrefixStore, _Prefix] | None:
        all_kept = [(store, prefix) for store in self._all_stores() for prefix in store.kept]
        return min(all_kept, key=lambda kept: kept[1].used_at, default=None)

    def _all_stores(self) -> list[PrefixStore]:
        with self._stores_lock:
            return list(self._stores)


class PrefixStore:
    """Contexts of one model that have read the beginnings of prompts.

    The second prompt with the same beginning leaves a fork where that ends, in whole chunks; the third
    one goes on from there. So does the next message of a conversation, and another conversation with
    the same system messages. What is kept is exactly such a beginning, so no state has to go back to
    less than it has read.

    Threads: one at a time, that of the model's answer; the budget gives back contexts in any.

    Args:
        root: The model, with nothing read. Answers that share nothing run in it.
    """

    def __init__(self, root: LanguageModel, budget: ContextBudget) -> None:
        self.kept: list[_Prefix] = []  # guarded by the budget's lock
        self.size = KeptContexts(0, 0)
        self.chunk = root.chunk_for(budget.limits.chunk)
        self._root = root
        self._budget = budget
        self._seen = SeenBeginnings(self.chunk)
        self._keeps = budget.keeps_any
        self._is_lost = False
        self._is_fresh = False  # the root: nothing was run in it since its last reset
        self._has_told_of_memory = False
        budget.add_store(self)

    @contextlib.contextmanager
    def context_for(self, prompt: tuple[int, ...]) -> Iterator[LanguageModel]:
        """A model that has read whole chunks of ``prompt``, or nothing, and not all of it: what comes
        after the last token is known when it is read. What it has read of the prompt in the end has
        been seen.

        Raises:
            Error: The model cannot be used any more.
        """
        if self._is_lost:
            raise _lost(self._root)
        model = self._fork_of_longest(prompt)
        if model is None:
            model = self._root
            if not self._is_fresh:
                model.reset()
            self._is_fresh = False
        try:
            yield model
            if self._keeps:
                self._seen.add(prompt[: len(model.context)])
        finally:
            self._release(model)

    def cut(self, prompt: tuple[int, ...], begun: int) -> int:
        """Where to keep() while ``prompt`` is read from ``begun`` on; ``begun``: nowhere."""
        return max(begun, self._seen.longest(prompt[:-1])) if self._keeps else begun

    def keep(self, model: LanguageModel) -> None:
        """Keeps a fork of ``model``, which has read whole chunks of a prompt. Where that cannot be,
        the answer goes on without.

        Raises:
            Error: INTERNAL: ``model`` must not be used any more (Method::Fork).
        """
        error = self._try_to_keep(model)
        if error is None:
            return
        if error.code == StatusCode.UNSUPPORTED:
            self._keeps = False
            _log.info("%s: what prompts begin with is not kept: %s", model.name, error)
        elif error.code == StatusCode.INTERNAL:
            self._is_lost = model is self._root
            raise error
        else:
            self._give_back_for(error)

    def count_again(self) -> None:
        """REQUIRES: the budget's lock."""
        models = [prefix.model for prefix in self.kept]
        self.size = KeptContexts(len(models), context_bytes(models))

    def _try_to_keep(self, model: LanguageModel) -> Error | None:
        tokens = tuple(model.context)
        try:
            if self._budget.make_room(self, model):
                self._add(_Prefix(tokens, model.fork(), self._budget.now()))
                self._budget.enforce(self)
        except Error as error:
            return error.with_traceback(None)  # which has the model
        return None

    def _add(self, prefix: _Prefix) -> None:
        with self._budget.lock:
            self.kept.append(prefix)
            self.count_again()

    def _fork_of_longest(self, prompt: tuple[int, ...]) -> LanguageModel | None:
        """None: there is nothing to go on from."""
        with self._budget.lock:
            longest = self._longest(prompt)
            if longest is None:
                return None
            # Where a longer one will be kept, that is what the next message goes on from.
            if self.cut(prompt, len(longest.tokens)) == len(longest.tokens):
                longest.used_at = self._budget.now()
            fork = _fork_or_error(longest.model)
        if isinstance(fork, LanguageModel):
            return fork
        self._give_back_for(fork)
        return None

    def _longest(self, prompt: tuple[int, ...]) -> _Prefix | None:
        begins = [
            prefix
            for prefix in self.kept
            if len(prefix.tokens) < len(prompt) and prompt[: len(prefix.tokens)] == prefix.tokens
        ]
        return max(begins, key=lambda prefix: len(prefix.tokens), default=None)

    def _give_back_for(self, error: Error) -> None:
        """All: what is missing, memory or mappings as a rule, is the process'."""
        if not (isinstance(error, OutOfMemoryError) and self._has_told_of_memory):
            _log.warning("%s: kept contexts are given back: %s", self._root.name, error)
        self._has_told_of_memory |= isinstance(error, OutOfMemoryError)
        self._budget.give_back_all()

    def _release(self, model: LanguageModel) -> None:
        if model is not self._root:
            model.close()
        elif not self._is_lost:
            try:
                model.reset()  # an idle model has no context in memory
                self._is_fresh = True
            except Error:
                _log.warning("%s: its context stays in memory", model.name, exc_info=True)


def _fork_or_error(model: LanguageModel) -> LanguageModel | Error:
    try:
        return model.fork()
    except Error as error:
        return error.with_traceback(None)


def _lost(model: LanguageModel) -> Error:
    error = Error(
        f"{model.name} was lost when its context could not be mapped again: load it again"
    )
    error.code = StatusCode.INTERNAL
    return error
