"""Answers of language models, token by token."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from onepack._core import StopReason, _CancelFlag, _Tokens
from onepack.records import GenerateResult

if TYPE_CHECKING:
    from typing_extensions import Self

OnToken = Callable[[int], object]
"""Called with each token; returning False cancels."""

_Keep = Callable[[GenerateResult], None]

_Run = Callable[[OnToken | None, _CancelFlag, _Keep], None]
"""Gives the result to the last argument, also where a callback's exception then comes out."""


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


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an answer is made of; for _core."""

    prompt: _Tokens
    max_new_tokens: int
    sampling: Sampling
    stop_tokens: _Tokens
    ignore_eos: bool
    prefill_chunk: int

    @staticmethod
    def of(
        *,
        prompt: Iterable[int],
        sampling: Sampling | None,
        stop_tokens: Iterable[int],
        max_new_tokens: int,
        ignore_eos: bool,
        prefill_chunk: int,
    ) -> Request:
        return Request(
            prompt=_Tokens(prompt),
            sampling=sampling or Sampling(),
            stop_tokens=_Tokens(stop_tokens),
            max_new_tokens=max_new_tokens,
            ignore_eos=ignore_eos,
            prefill_chunk=prefill_chunk,
        )


class _Answer:
    """What the thread that makes an answer shares with the Generation that reads it. The thread does
    not know the latter, so that one nobody reads any more is collected, and cancelled.

    Nothing that is kept here has a traceback: its frames would keep models as long as the answer,
    and often the answer itself.
    """

    def __init__(self, run: _Run, check_thread: Callable[[], None] | None) -> None:
        self.cancel = _CancelFlag()
        self.result: GenerateResult | None = None
        self.error: Exception | None = None  # the model's; None where there is a result
        self.tokens: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # None: the end
        self.maker: int | None = None  # the thread, once it is started
        self.has_ended = threading.Event()
        self._run: _Run | None = run
        self._check_thread = check_thread
        self._lock = threading.Lock()  # of the start

    @property
    def is_being_made_here(self) -> bool:
        return self.maker == threading.get_ident() and not self.has_ended.is_set()

    def make_here(self, on_token: OnToken | None) -> bool:
        """Makes it in this thread, and raises what comes out. False: it was started before."""
        is_ours = False
        try:
            with self._lock:
                if self.maker is None:
                    self.maker = threading.get_ident()
                    is_ours = True
            if is_ours:
                self._make(on_token)
        except BaseException as error:
            if is_ours:
                self._keep_error(error)
            raise
        finally:
            if is_ours:
                for token in self.result.tokens if self.result else ():
                    self.tokens.put(token)  # for who iterates now
                self._end()
        return is_ours

    def make_in_thread(self) -> None:
        """Starts a thread that makes it, unless it was started before."""
        is_ours = False
        try:
            with self._lock:
                if self.maker is not None:
                    return
                if self._check_thread is not None:
                    self._check_thread()
                self.maker = 0  # of no thread
                is_ours = True
            self.cancel.is_in_background = True
            threading.Thread(target=self._make_in_thread, name="onepack generation").start()
        except BaseException as error:
            # An interrupt may come after the thread was started: that ends the answer then.
            if is_ours and self.maker == 0:
                self.cancel.set()
                self._keep_error(error)
                self._end()
            raise

    def _make_in_thread(self) -> None:
        self.maker = threading.get_ident()
        try:
            self._make(self._put)
        except BaseException as error:  # noqa: BLE001  (it is raised where the answer is read)
            self._keep_error(error)
        finally:
            self._end()

    def _make(self, on_token: OnToken | None) -> None:
        run, self._run = self._run, None  # the model is not needed afterwards
        if run is not None:
            run(on_token, self.cancel, self._keep)

    def _keep(self, result: GenerateResult) -> None:
        self.result = result

    def _keep_error(self, error: BaseException) -> None:
        if self.result is not None:
            return  # somebody else's: a callback's, or Ctrl-C
        if isinstance(error, Exception):
            self.error = _anew(error)
        else:
            self.result = GenerateResult((), StopReason.CANCELLED, 0, 0, 0, 0)

    def _end(self) -> None:
        self._run = None
        self.tokens.put(None)
        self.has_ended.set()

    def _put(self, token: int) -> bool:
        self.tokens.put(token)
        # Python waits for its threads at the end: nobody reads this answer then.
        return threading.main_thread().is_alive()


def _anew(error: Exception) -> Exception:
    """``error`` without what it has picked up on its way."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001  (a class whose arguments are not those of its __init__)
        return RuntimeError(f"{type(error).__name__}: {error}")


class Generation(Iterator[int]):
    """An answer: iterate over it for its tokens as they come, or take its result().

    Iterating starts a thread, in which the model goes on while the tokens are read; result() alone
    runs the model in the calling thread, and iterating afterwards gives what it has made. Nothing
    runs before one of them. An error of the model is raised wherever the answer is read.

    A ``with`` statement, close() or forgetting the object ends it early. Afterwards the context has
    what the model had read by then, which may be more than was read here: result() has all tokens.

    Threads: any; where several iterate, each token goes to one of them.
    """

    def __init__(self, run: _Run, check_thread: Callable[[], None] | None = None) -> None:
        # `check_thread` raises what keeps a thread from being started for it here and now.
        self._answer = _Answer(run, check_thread)

    def __next__(self) -> int:
        answer = self._answer
        self._refuse_own_callback()
        answer.make_in_thread()
        token = answer.tokens.get()
        if token is not None:
            return token
        answer.tokens.put(None)  # for the next who asks
        self._raise_error()
        raise StopIteration

    def result(self, on_token: OnToken | None = None) -> GenerateResult:
        """All of the answer, when it has ended. May be called again.

        ``on_token`` is called with each token, in this thread; returning False cancels, and what it
        raises comes out of here, as Ctrl-C does. Another result() then has the tokens until there.
        ValueError: the answer has been started without it.
        """
        answer = self._answer
        if not answer.make_here(on_token):
            if on_token is not None:
                raise ValueError("the answer has been started already")
            self._refuse_own_callback()
            answer.has_ended.wait()
        self._raise_error()
        assert answer.result is not None
        return answer.result

    def cancel(self) -> None:
        """Ends the answer before the model's next call; returns at once. From any thread, and from
        ``on_token``. The result's reason is then StopReason.CANCELLED. A request that waits for its
        adapter ends when its turn has come."""
        self._answer.cancel.set()

    def close(self) -> None:
        """Cancels, and waits until the model is free; not in a callback of the answer itself."""
        self.cancel()
        answer = self._answer
        if answer.maker is not None and not answer.is_being_made_here:
            answer.has_ended.wait()

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

    def _refuse_own_callback(self) -> None:
        if self._answer.is_being_made_here:
            raise ValueError("the answer has not ended: this is called back for it")

    def _raise_error(self) -> None:
        if self._answer.error is not None:
            raise _anew(self._answer.error)
