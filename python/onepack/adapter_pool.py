"""Language models by name, over one foundation."""

from __future__ import annotations

from collections.abc import Iterable

from onepack import _core
from onepack.generation import Generation, Request, Sampling


class AdapterPool(_core.AdapterPool):
    """Language models by name: a request says which adapter is to answer it.

    An adapter costs its own weights, its KV cache and its activations; the foundation is there once.

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
        that may be waiting for this one: Error with FAILED_PRECONDITION.
        """
        request = Request.of(
            prompt, max_new_tokens, sampling, stop_tokens, ignore_eos, prefill_chunk
        )
        return Generation(
            lambda on_token, cancel, keep: self._generate(name, request, on_token, cancel, keep)
        )
