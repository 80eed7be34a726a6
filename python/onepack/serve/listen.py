"""An application on a port, until the process is told to stop."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette

from onepack.serve.engine import Engine

_TO_SAY_SO = 5
"""Seconds in which streams say that they were cancelled, before connections are cut."""


def listen(app: Starlette, engine: Engine, *, grace: int, **options: Any) -> int:
    """The status of the process. ``options``: of uvicorn.

    SIGINT and SIGTERM stop it: answers get ``grace`` seconds to end, and are cancelled then.
    """
    config = uvicorn.Config(app, timeout_graceful_shutdown=grace + _TO_SAY_SO, **options)
    server = _Server(config, engine, grace)
    try:
        server.run()
    except KeyboardInterrupt:  # which uvicorn raises when all is done
        pass
    finally:
        engine.close()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, engine: Engine, grace: int) -> None:
        super().__init__(config)
        self._engine = engine
        self._grace = grace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._grace, loop.run_in_executor, None, self._engine.close)
        await super().shutdown(sockets)
