"""The page at /, and the files that it is made of."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent.parent / "static"
_FILES = {"/": "page.html", "/page.css": "page.css", "/page.js": "page.js"}
PATHS = tuple(_FILES)

# Answers of models are shown on it: whatever is in them, nothing is loaded or run but these files.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def routes() -> list[Route]:
    return [Route(path, _show) for path in PATHS]


async def _show(request: Request) -> Response:
    return FileResponse(_FOLDER / _FILES[request.url.path], headers=_HEADERS)
