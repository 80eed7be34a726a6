"""The ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onepack import Error
from onepack.serve.engine import Engine
from onepack.serve.metrics import Metrics
from onepack.serve.protocol.errors import ApiError, of_exception
from onepack.serve.web import page
from onepack.serve.web.answers import AnswersApi
from onepack.serve.web.middleware import CountRequests, RequireHost, RequireKey
from onepack.serve.web.models import ModelsApi


@dataclass(frozen=True)
class AppOptions:
    api_key: str | None = None
    """The key that is required of requests; None: no key is."""
    adapters_dir: Path | None = None
    """Adapters may be added and dropped, from this folder only; None: they are fixed."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that the server may be called by (header Host); empty: any. A server on the loopback
    interface has to know its own: else a page of any site could have its name lead here, and a
    browser would let it read the answers."""


def create_app(engine: Engine, options: AppOptions | None = None) -> Starlette:
    """An application that serves ``engine``, and closes it at the end."""
    options = options or AppOptions()
    metrics = Metrics(engine)
    engine.on_end = metrics.observe

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(engine.close)

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            *AnswersApi(engine).routes(),
            *ModelsApi(engine, options.adapters_dir).routes(),
            Route("/health", _show_health),
            Route("/metrics", show_metrics),
            *page.routes(),
        ],
        middleware=_middleware(options, metrics),
        exception_handlers={
            HTTPException: _answer_http_exception,
            ApiError: _answer_exception,
            Error: _answer_exception,
            Exception: _answer_exception,  # which is logged, too
        },
        lifespan=lifespan,
    )


def _middleware(options: AppOptions, metrics: Metrics) -> list[Middleware]:
    found = [Middleware(CountRequests, metrics=metrics)]
    if options.allowed_hosts:
        found.append(Middleware(RequireHost, hosts=options.allowed_hosts))
    if options.api_key is not None:
        public = (*page.PATHS, "/health")
        found.append(Middleware(RequireKey, key=options.api_key, public=public))
    return found


async def _show_health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _answer_http_exception(_: Request, error: Exception) -> Response:
    """Of Starlette: no such path, another method."""
    assert isinstance(error, HTTPException)
    told = ApiError(error.status_code, error.detail, headers=error.headers)
    return JSONResponse(told.body(), told.status, told.headers)


async def _answer_exception(_: Request, error: Exception) -> Response:
    told = of_exception(error)
    return JSONResponse(told.body(), told.status, told.headers)
