"""Answers requests: models, threads and the queue. Knows nothing of HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from onepack.serve.answer import Answer, AnswerRequest, End, OnEvent
from onepack.serve.models import Models, ServedModel
from onepack.serve.scheduler import Scheduler, Ticket
from onepack.text import Tokenizer

_log = logging.getLogger("onepack.serve")


class Engine:
    """Requests to different models are answered in parallel, those to one model in turn.

    Threads: any. Models run in threads of the engine, without the GIL.

    Args:
        parallel: How many models run at a time.
        queue_limit: How many requests wait at a time.
        on_end: Called with the end of every answer, before whoever asked for it.
    """

    def __init__(
        self,
        models: Models,
        tokenizer: Tokenizer,
        *,
        parallel: int,
        queue_limit: int,
        on_end: Callable[[End], object] = lambda _: None,
    ) -> None:
        self.models = models
        self.tokenizer = tokenizer
        self.scheduler = Scheduler(parallel, queue_limit)
        self.on_end = on_end
        self._lock = threading.Lock()
        self._alive: dict[Answer, Ticket] = {}  # guarded by _lock

    def start(self, model: ServedModel, request: AnswerRequest, on_event: OnEvent) -> Answer:
        """Has ``model`` answer; returns at once. ``on_event`` gets pieces of text and one End.

        Raises:
            QueueFullError: As many requests wait as may.
            SchedulerClosedError: The engine is closing.
        """

        answer = Answer(model, request, self.tokenizer, on_event, self._forget)
        with self._lock:  # before the answer may have ended
            self._alive[answer] = self.scheduler.submit(model, answer.run)
        return answer

    def cancel(self, answer: Answer) -> None:
        """Ends it: at once where it waits, else before the model's next call. Returns at once."""
        with self._lock:
            ticket = self._alive.get(answer)
        answer.cancel()
        if ticket is not None and self.scheduler.withdraw(ticket):
            answer.end_unstarted()

    def close(self) -> None:
        """Cancels every answer, and waits until no model runs. Called again, it does nothing."""
        self.scheduler.refuse()
        with self._lock:
            alive = list(self._alive)
        for answer in alive:
            self.cancel(answer)
        self.scheduler.close()

    def _forget(self, answer: Answer, end: End) -> None:
        with self._lock:
            self._alive.pop(answer, None)
        try:
            self.on_end(end)
        except Exception:  # noqa: BLE001  (whoever asked gets the end all the same)
            _log.exception("on_end has failed")
