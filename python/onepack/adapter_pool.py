"""Language models by name, over one foundation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from onepack import _core
from onepack.errors import Error
from onepack.generation import Generation, OnToken, Request, Sampling
from onepack.records import GenerateResult


class _Requests(threading.local):
    """Of any pool, that this thread answers now."""

    count = 0


_requests = _Requests()


def _refuse_callback() -> None:
    # A thread that waits for an adapter does not know that a callback waits for that thread.
    if _requests.count > 0:
        error = Error("a callback of a pool's request does not iterate: take the answer's result()")
        error.code = _core.StatusCode.FAILED_PRECONDITION
        raise error


class AdapterPool(_core.AdapterPool):
    """Language models by name: a request says which adapter is to answer it.

    An adapter costs its own weights, and its KV cache and activations while it answers; the foundation is
    there once.

    Threads: any, at any time. Requests to one adapter take turns; different adapters answer in
    parallel, also while another one is added or dropped.

    Args:
        backend: What runs them.
        foundation: What they share: one data file, several, or None.
        max_planned_bytes: The most that each program may plan for. 0: what the machine has.
    """

    def generate(
        self,
        name: str,
        prompt: Iterable[int],
        *,
        max_new_tokens: int = 128,
        sampling: Sampling | None = None,
        stop_tokens: Iterable[int] = (),
        ignore_eos: bool = False,
        prefill_chunk: int = 0,
    ) -> Generation:
        """An answer of the adapter ``name``, in a context of its own; else as
        LanguageModel.generate. NotFoundError, where it is read: there is no such adapter.

        In ``on_token`` of another request it does not wait for an adapter that is answering, because
        that may be waiting for this one: Error with FAILED_PRECONDITION. There its result() is taken;
        iterating, which starts a thread, is the same error.
        """
        request = Request.of(
            prompt=prompt,
            max_new_tokens=max_new_tokens,
            sampling=sampling,
            stop_tokens=stop_tokens,
            ignore_eos=ignore_eos,
            prefill_chunk=prefill_chunk,
        )

        def run(
            on_token: OnToken | None,
            cancel: _core._CancelFlag,
            keep: Callable[[GenerateResult], None],
        ) -> None:
            _requests.count += 1
            try:
                self._generate(name, request, on_token, cancel, keep)
            finally:
                _requests.count -= 1

        return Generation(run, _refuse_callback)
