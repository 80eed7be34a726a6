"""What is done with every request."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onepack.serve.metrics import Metrics
from onepack.serve.protocol.errors import ApiError
from onepack.serve.web.answers import MODEL_IN_SCOPE

_COUNTED = ("/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/adapters")


class CountRequests:
    """Tells ``metrics`` the status of each response to the API."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, look)
        except Exception:
            self._count(scope, 500)  # Starlette answers it, further out
            raise

    def _count(self, scope: Scope, status: int) -> None:
        model = scope.get(MODEL_IN_SCOPE, "")
        self._metrics.count_request(_endpoint(scope["path"]), model, status)


def _endpoint(path: str) -> str:
    """No more of them than there are, whatever is asked for."""
    for known in _COUNTED:
        if path == known or path.startswith(known + "/"):
            return known
    return "other"


class RequireHost:
    """Refuses requests that call the server by another name than ``hosts`` (header Host)."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(map(_without_port, hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_known(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        error = ApiError(
            400, "This server does not answer to the name in 'Host'.", code="invalid_host"
        )
        await JSONResponse(error.body(), error.status)(scope, receive, send)

    def _is_known(self, host: str) -> bool:
        return _without_port(host) in self._hosts


def _without_port(host: str) -> str:
    """Of an address of IPv6, also without the brackets that it has before a port."""
    host = host.lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and ":" not in name and port.isdigit() else host


class RequireKey:
    """Refuses requests without the key, but for those to ``public`` paths."""

    def __init__(self, app: ASGIApp, key: str, public: Collection[str]) -> None:
        self._app = app
        self._key = key.encode()
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._public or self._has_key(scope):
            await self._app(scope, receive, send)
            return
        error = ApiError(
            401,
            "The API key is missing or wrong: send it as 'Authorization: Bearer KEY'.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await JSONResponse(error.body(), error.status, error.headers)(scope, receive, send)

    def _has_key(self, scope: Scope) -> bool:
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        # In a time that does not tell how much of it is right.
        return scheme.lower() == "bearer" and hmac.compare_digest(
            key.strip().encode("latin-1"), self._key
        )
