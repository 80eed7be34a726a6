"""From the engine's threads to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from onepack.serve.answer import End, Event


class EventQueue:
    """Events of one answer; made in the event loop's thread.

    It has no bound: an answer has no more events than tokens, and a client that reads slowly shall not
    hold the model.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def put(self, event: Event) -> None:
        """From any thread."""
        # A loop that was closed has nobody who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def all(self) -> AsyncIterator[Event]:
        """Up to the end."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, End):
                return
