"""Answers of language models, token by token."""

from __future__ import annotations

import operator
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from onepack._core import _CancelFlag
from onepack.records import GenerateResult

if TYPE_CHECKING:
    from typing_extensions import Self

OnToken = Callable[[int], object]
"""Called with each token; returning False cancels."""

_Run = Callable[[OnToken | None, _CancelFlag], GenerateResult]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. The defaults choose the likeliest one, always the same. The same
    seed, settings and logits give the same tokens on any machine."""

    temperature: float = 0.0
    """Logits are divided by it; 0: the likeliest token."""
    top_k: int = 0
    """Among so many of the likeliest; 0: all."""
    top_p: float = 1.0
    """Among the likeliest that have so much of all probability together."""
    seed: int = 0
    """From 0 to 2**64 - 1."""


@dataclass(frozen=True)
class Request:
    """What an answer is made of; for _core."""

    prompt: list[int]
    max_new_tokens: int
    sampling: Sampling
    stop_tokens: list[int]
    ignore_eos: bool
    prefill_chunk: int

    @staticmethod
    def of(
        prompt: Iterable[int],
        max_new_tokens: int,
        sampling: Sampling | None,
        stop_tokens: Iterable[int],
        ignore_eos: bool,
        prefill_chunk: int,
    ) -> Request:
        return Request(
            [operator.index(token) for token in prompt],
            max_new_tokens,
            sampling or Sampling(),
            [operator.index(token) for token in stop_tokens],
            ignore_eos,
            prefill_chunk,
        )


class _Answer:
    """What the thread that makes an answer shares with the Generation that reads it. The thread does
    not know the latter, so that one nobody reads any more is collected, and cancelled."""

    def __init__(self, run: _Run) -> None:
        self.cancel = _CancelFlag()
        self.result: GenerateResult | None = None
        self.error: BaseException | None = None
        self.tokens: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # None: the end
        self.maker: int | None = None  # the thread, once it is started
        self.has_ended = threading.Event()
        self._run = run

    def make(self, on_token: OnToken | None) -> None:
        self.maker = threading.get_ident()
        try:
            self.result = self._run(on_token, self.cancel)
        except BaseException as error:  # noqa: BLE001  (it is raised where the answer is read)
            self.error = error
        finally:
            self.tokens.put(None)
            self.has_ended.set()

    def wait(self) -> None:
        """Until it has ended, unless this thread makes it."""
        if self.maker != threading.get_ident():
            self.has_ended.wait()

    def put(self, token: int) -> bool:
        self.tokens.put(token)
        # Python waits for its threads at the end: nobody reads this answer then.
        return threading.main_thread().is_alive()


class Generation(Iterator[int]):
    """An answer: iterate over it for its tokens as they come, or take its result().

    Iterating starts a thread, in which the model goes on while the tokens are read; result() alone
    runs the model in the calling thread. Nothing runs before one of them. An error of the model is
    raised where the answer is read.

    A ``with`` statement, close() or forgetting the object ends it early. Afterwards the context has
    what the model had read by then, which may be more than was read here: result() has all tokens.

    Threads: any; tokens that several threads read go to one of them each.
    """

    def __init__(self, run: _Run) -> None:
        self._answer = _Answer(run)
        self._started = False
        self._lock = threading.Lock()  # of the start

    def __next__(self) -> int:
        self._start_thread()
        token = self._answer.tokens.get()
        if token is not None:
            return token
        self._answer.tokens.put(None)  # for the next who asks
        self._raise_error()
        raise StopIteration

    def result(self, on_token: OnToken | None = None) -> GenerateResult:
        """All of the answer, when it has ended. May be called again.

        ``on_token`` is called with each token, in this thread; returning False cancels, and what it
        raises comes out of here. ValueError: the answer has been started without it.
        """
        if self._start():
            self._answer.make(on_token)
        elif on_token is not None:
            raise ValueError("the answer has been started already")
        self._answer.wait()
        self._raise_error()
        if self._answer.result is None:
            raise ValueError("the answer has not ended: this is called back for it")
        return self._answer.result

    def cancel(self) -> None:
        """Ends the answer before the model's next call; returns at once. From any thread, and from
        ``on_token``. The result's reason is then StopReason.CANCELLED. A request that waits for its
        adapter ends when its turn has come."""
        self._answer.cancel.set()

    def close(self) -> None:
        """Cancels, and waits until the model is free."""
        self.cancel()
        if self._started:
            self._answer.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.cancel()

    def _start(self) -> bool:
        """Whether this is the call that starts it."""
        with self._lock:
            was_started, self._started = self._started, True
        return not was_started

    def _start_thread(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
            answer = self._answer
            threading.Thread(
                target=answer.make, args=(answer.put,), name="onepack generation"
            ).start()

    def _raise_error(self) -> None:
        if self._answer.error is not None:
            raise self._answer.error
