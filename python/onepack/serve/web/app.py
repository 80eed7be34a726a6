"""The ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onepack import Error
from onepack.serve.answer_source import AnswerSource
from onepack.serve.engine import Engine
from onepack.serve.engine_source import EngineSource
from onepack.serve.metrics import Metrics
from onepack.serve.protocol.errors import ApiError, of_exception
from onepack.serve.web import page
from onepack.serve.web.adapters import AdaptersApi
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
            *_openai_routes(EngineSource(engine)),
            *AdaptersApi(engine, options.adapters_dir).routes(),
            Route("/metrics", show_metrics),
            *page.routes(),
        ],
        middleware=[
            Middleware(CountRequests, metrics=metrics),
            *_access(options.api_key, options.allowed_hosts),
        ],
        exception_handlers=_EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )


def create_openai_app(
    source: AnswerSource[Any], *, api_key: str | None = None, allowed_hosts: Collection[str] = ()
) -> Starlette:
    """OpenAI's endpoints and /health alone, for models that are in other processes and managed there.
    The arguments are those of AppOptions."""
    return Starlette(
        routes=_openai_routes(source),
        middleware=_access(api_key, allowed_hosts),
        exception_handlers=_EXCEPTION_HANDLERS,
    )


def _openai_routes(source: AnswerSource[Any]) -> list[Route]:
    answers, models = AnswersApi(source), ModelsApi(source)
    return [*answers.routes(), *models.routes(), Route("/health", _show_health)]


def _access(api_key: str | None, allowed_hosts: Collection[str]) -> list[Middleware]:
    found = []
    if allowed_hosts:
        found.append(Middleware(RequireHost, hosts=allowed_hosts))
    if api_key is not None:
        public = (*page.PATHS, "/health")
        found.append(Middleware(RequireKey, key=api_key, public=public))
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


_EXCEPTION_HANDLERS: dict[Any, Any] = {
    HTTPException: _answer_http_exception,
    ApiError: _answer_exception,
    Error: _answer_exception,
    Exception: _answer_exception,  # which is logged, too
}
