"""Who answers next: a bound on what runs, a bound on what waits."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_log = logging.getLogger("onepack.serve")


class QueueFullError(Exception):
    """As many requests wait as may."""


class SchedulerClosedError(Exception):
    """Nothing is started any more."""


class Ticket:
    """Work that waits or runs. ``owner``: what does one thing at a time."""

    def __init__(self, owner: object, work: Callable[[], None]) -> None:
        self.owner = owner
        self.work = work


class Scheduler:
    """Runs work in ``parallel`` threads: of each owner one thing at a time, in the order it came.

    Work waits here and not in a thread, so that one model with many requests holds one thread and the
    others go on. The first in line whose owner is free starts next.

    Threads: any.
    """

    def __init__(self, parallel: int, queue_limit: int) -> None:
        if parallel < 1 or queue_limit < 0:
            raise ValueError("parallel is 1 at least, queue_limit 0 at least")
        self.parallel = parallel
        self.queue_limit = queue_limit
        self._threads = _started_threads(parallel)
        self._lock = threading.Lock()
        self._is_idle = threading.Condition(self._lock)
        # Guarded by _lock. Owners are compared by identity: one that was dropped and one that came in
        # its place under the same name do not wait for each other.
        self._waiting: deque[Ticket] = deque()
        self._busy: dict[int, Ticket] = {}  # by id() of the owner
        self._is_closed = False

    @property
    def running(self) -> int:
        with self._lock:
            return len(self._busy)

    @property
    def waiting(self) -> int:
        with self._lock:
            return len(self._waiting)

    def submit(self, owner: object, work: Callable[[], None]) -> Ticket:
        """QueueFullError: it would have to wait, and as many as may do. SchedulerClosedError."""
        ticket = Ticket(owner, work)
        with self._lock:
            if self._is_closed:
                raise SchedulerClosedError("the server is closing")
            if self._can_run(ticket):
                self._start(ticket)
            elif len(self._waiting) < self.queue_limit:
                self._waiting.append(ticket)
            else:
                raise QueueFullError(f"{self.queue_limit} requests are waiting already")
        return ticket

    def withdraw(self, ticket: Ticket) -> bool:
        """Whether it was waiting; now it is not."""
        with self._lock:
            if ticket not in self._waiting:
                return False
            self._waiting.remove(ticket)
            self._is_idle.notify_all()
            return True

    def refuse(self) -> None:
        """Takes nothing any more; what is here goes on."""
        with self._lock:
            self._is_closed = True

    def close(self) -> None:
        """Takes nothing any more, and waits until all that is here has run."""
        self.refuse()
        with self._is_idle:
            self._is_idle.wait_for(lambda: not self._busy and not self._waiting)
        self._threads.shutdown(wait=True)

    def _can_run(self, ticket: Ticket) -> bool:
        return len(self._busy) < self.parallel and id(ticket.owner) not in self._busy

    def _start(self, ticket: Ticket) -> None:
        # First: what is refused, as at the interpreter's end, is not busy.
        self._threads.submit(self._run, ticket)
        self._busy[id(ticket.owner)] = ticket

    def _run(self, ticket: Ticket) -> None:
        try:
            ticket.work()
        except Exception:  # noqa: BLE001  (nobody asks the thread what became of it)
            _log.exception("work has failed")
        finally:
            with self._lock:
                del self._busy[id(ticket.owner)]
                self._is_idle.notify_all()  # first: whatever happens, nobody waits for this
                self._start_next()

    def _start_next(self) -> None:
        for ticket in self._waiting:
            if self._can_run(ticket):
                self._waiting.remove(ticket)
                self._start(ticket)
                return


def _started_threads(count: int) -> ThreadPoolExecutor:
    """Started now: an executor that cannot start a thread later raises, and keeps the work all the same."""
    threads = ThreadPoolExecutor(count, thread_name_prefix="onepack answer")
    all_started = threading.Barrier(count + 1)
    try:
        for _ in range(count):
            threads.submit(all_started.wait)
    except RuntimeError:
        all_started.abort()  # or those that did start would wait for ever
        raise
    all_started.wait()
    return threads
