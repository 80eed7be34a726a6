"""Clients that go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.types import Receive


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
