"""From the engine's threads to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.types import Receive

from onepack.serve.answer import End, Event, Text


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

    async def all(self) -> AsyncIterator[Text | End]:
        """Up to the end."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, End):
                return


class Client:
    """Who has asked."""

    def __init__(self) -> None:
        self.has_gone = False


@contextlib.asynccontextmanager
async def watching(receive: Receive, cancel: Callable[[], object]) -> AsyncIterator[Client]:
    """Calls ``cancel`` when the client goes while the body of this runs, and whenever it is left.

    We listen ourselves: some versions of the ASGI interface report a client that has gone only to
    who sends, and an answer that waits in the queue sends nothing.
    """
    client = Client()
    listener = asyncio.create_task(_listen(receive, client, cancel))
    try:
        yield client
    finally:
        listener.cancel()
        cancel()


async def _listen(receive: Receive, client: Client, cancel: Callable[[], object]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.has_gone = True
    cancel()
