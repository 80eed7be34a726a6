"""Language models."""

from __future__ import annotations

from collections.abc import Iterable

from onepack import _core
from onepack.generation import Generation, Request, Sampling


class LanguageModel(_core.LanguageModel):
    """A loaded language model with the context that it has read so far.

    Threads: belongs to one thread at a time, and tells one that comes while another is in it (Error
    with FAILED_PRECONDITION); for an answer that was iterated over and is cancelled, or forgotten,
    it waits. Different models run in parallel; the GIL is released meanwhile.

    Errors: after one the context is as before the chunk that failed, and the model can be used again.

    Args:
        program: Token ids in, and, with a KV cache, a position; logits out.
        backend: What runs it.
        data: The data files that the program was separated from: one, several, or None.
        method: Where it is not named "forward" or "text_decoder".
        max_planned_bytes: The most that the program may plan for. 0: what the machine has.
        on_progress: As for Method.

    Raises:
        Error: What Method raises; UNSUPPORTED for a program that is no language model.
    """

    def generate(
        self,
        prompt: Iterable[int],
        *,
        max_new_tokens: int = 128,
        sampling: Sampling | None = None,
        stop_tokens: Iterable[int] = (),
        ignore_eos: bool = False,
        prefill_chunk: int = 0,
    ) -> Generation:
        """Reads ``prompt`` after what is in the context, and answers.

        The last new token is not in the context afterwards: a prompt that continues begins with it.

        Args:
            prompt: Token ids, one at least.
            max_new_tokens: Stop after so many.
            sampling: How tokens are chosen; None: always the likeliest.
            stop_tokens: That end the answer, besides the model's own.
            ignore_eos: Go on after one of the model's own.
            prefill_chunk: Tokens of the prompt for each call of the program; 0: as many as it takes.

        Returns:
            An iterator over the new tokens, a stop token included. Nothing runs before it is read,
            and errors come out there: InvalidArgumentError for a token outside the vocabulary, a
            prompt without tokens or with more than there is room for, or for such a ``sampling``.
        """
        request = Request.of(
            prompt=prompt,
            max_new_tokens=max_new_tokens,
            sampling=sampling,
            stop_tokens=stop_tokens,
            ignore_eos=ignore_eos,
            prefill_chunk=prefill_chunk,
        )
        return Generation(
            lambda on_token, cancel, keep: self._generate(request, on_token, cancel, keep)
        )
