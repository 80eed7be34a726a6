"""One answer: tokens become text, and text ends at a stop string."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from onepack import (
    GenerateResult,
    Generation,
    InvalidArgumentError,
    LanguageModel,
    Sampling,
    StopReason,
)
from onepack.serve.models import ServedModel
from onepack.serve.stop import StopFilter
from onepack.text import StreamDecoder, Tokenizer


@dataclass(frozen=True)
class AnswerRequest:
    prompt: tuple[int, ...]
    """Tokens."""
    max_new_tokens: int
    sampling: Sampling
    stop: tuple[str, ...] = ()
    """Strings that end the answer, and are no part of it."""
    ignore_eos: bool = False
    """Go on where the model would end."""


class Outcome(Enum):
    STOP = "stop"
    """The model's own end, or a stop string."""
    LENGTH = "length"
    """As many tokens as were asked for, or as there is room for."""
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class Text:
    """The next piece of the answer; not empty."""

    text: str


@dataclass(frozen=True)
class End:
    """The last event of every answer."""

    outcome: Outcome
    model: str
    prompt_tokens: int
    completion_tokens: int = 0
    """New ones, the one that ended it included."""
    queue_seconds: float | None = None
    """From the request to the model's first call; None: there is none."""
    first_token_seconds: float | None = None
    """From the request to the first token; None: there is none."""
    decode_tokens: int = 0
    """All new ones but the first."""
    decode_seconds: float = 0
    """That the model took for them."""
    error: Exception | None = None
    """Why it has failed."""
    reused_tokens: int = 0
    """Of the prompt: that were in a kept context, and not read again."""


Event = Text | End
OnEvent = Callable[[Event], object]
"""Called in the thread that has the model, or in the one that cancels."""

_log = logging.getLogger("onepack.serve")


class Answer:
    """A request on its way through the queue and the model.

    Every answer ends with one End event, whatever happens; nothing comes after it.

    Threads: run() in one, cancel() in any.

    Args:
        before_end: Called before ``on_event`` gets the end. It is given the answer, which so needs no
            reference to itself: in a cycle it would keep the model until the garbage is collected.
    """

    def __init__(
        self,
        model: ServedModel,
        request: AnswerRequest,
        tokenizer: Tokenizer,
        on_event: OnEvent,
        before_end: Callable[[Answer, End], object],
    ) -> None:
        self.model = model
        self._request = request
        self._on_event = on_event
        self._before_end = before_end
        self._asked_at = time.monotonic()
        self._started_at: float | None = None
        self._first_token_at: float | None = None
        self._reused_tokens = 0
        self._tokens = 0
        self._end_tokens = _end_tokens(model, tokenizer, request)
        self._decoder = StreamDecoder(tokenizer)
        self._stop = StopFilter(request.stop)
        self._lock = threading.Lock()
        self._is_cancelled = False  # guarded by _lock
        self._generation: Generation | None = None  # guarded by _lock; the one that runs

    def run(self) -> None:
        """In the model's turn."""
        self._started_at = time.monotonic()
        self._finish(self._run_model())

    def cancel(self) -> None:
        """The model stops before its next call."""
        with self._lock:
            self._is_cancelled = True
            if self._generation is not None:
                self._generation.cancel()

    def end_unstarted(self) -> None:
        """It will not run."""
        self._finish(self._end(Outcome.CANCELLED))

    def _run_model(self) -> End:
        try:
            with self.model.prefixes.context_for(self._request.prompt) as context:
                result = self._read_and_answer(context)
            if result.stop_reason != StopReason.CANCELLED:
                self._give(self._stop.add(self._decoder.finish()))
                self._give(self._stop.finish())
            return self._end(_outcome(result, self._stop.has_stopped), result)
        except Exception as error:  # noqa: BLE001  (whoever asked is told)
            _log.exception("an answer of %s has failed", self.model.name)
            # Its traceback has this frame, and with it the model for as long as the end is kept.
            return self._end(Outcome.FAILED, error=error.with_traceback(None))

    def _read_and_answer(self, context: LanguageModel) -> GenerateResult:
        """``context`` has read the beginning of the prompt."""
        prompt, prefixes = self._request.prompt, self.model.prefixes
        begun = self._reused_tokens = len(context.context)
        cut = prefixes.cut(prompt, begun)
        if cut > begun:
            read = self._generate(context, prompt[begun:cut], 0)
            if read.stop_reason == StopReason.CANCELLED:
                return read
            prefixes.keep(context)
        return self._generate(context, prompt[cut:], self._request.max_new_tokens)

    def _generate(
        self, context: LanguageModel, tokens: tuple[int, ...], most: int
    ) -> GenerateResult:
        generation = context.generate(
            tokens,
            max_new_tokens=most,
            sampling=self._request.sampling,
            stop_tokens=self._end_tokens,
            ignore_eos=self._request.ignore_eos,
            prefill_chunk=self.model.prefixes.chunk,
        )
        with self._lock:
            self._generation = generation
            if self._is_cancelled:
                generation.cancel()
        return generation.result(self._on_token)

    def _finish(self, end: End) -> None:
        try:
            self._before_end(self, end)
        finally:
            self._on_event(end)

    def _on_token(self, token: int) -> bool:
        if self._first_token_at is None:
            self._first_token_at = time.monotonic()
        self._tokens += 1
        if token in self._end_tokens:
            return True
        self._give(self._stop.add(self._text_of(token)))
        return not self._stop.has_stopped

    def _text_of(self, token: int) -> str:
        try:
            return self._decoder.add(token)
        except InvalidArgumentError:
            # A model may have more tokens than its tokenizer: its head is padded to a round size.
            return ""

    def _give(self, text: str) -> None:
        if text:
            self._on_event(Text(text))

    def _end(
        self,
        outcome: Outcome,
        result: GenerateResult | None = None,
        error: Exception | None = None,
    ) -> End:
        return End(
            outcome,
            self.model.name,
            len(self._request.prompt),
            self._tokens,
            self._seconds_until(self._started_at),
            self._seconds_until(self._first_token_at),
            result.decode_tokens if result else 0,
            result.decode_seconds if result else 0,
            error,
            self._reused_tokens,
        )

    def _seconds_until(self, moment: float | None) -> float | None:
        return None if moment is None else moment - self._asked_at


def _end_tokens(model: ServedModel, tokenizer: Tokenizer, request: AnswerRequest) -> frozenset[int]:
    if request.ignore_eos:
        return frozenset()
    own: Iterable[int] = model.language_model.info.eos_ids
    return frozenset((*own, *tokenizer.eos_ids))


def _outcome(result: GenerateResult, has_stopped: bool) -> Outcome:
    if has_stopped or result.stop_reason == StopReason.STOP_TOKEN:
        return Outcome.STOP
    if result.stop_reason == StopReason.CANCELLED:
        return Outcome.CANCELLED
    return Outcome.LENGTH
