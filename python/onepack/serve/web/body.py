"""Bodies of requests."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from onepack.serve.protocol.errors import ApiError, client_gone, invalid

MAX_BODY_BYTES = 2 << 20


async def read_object(request: Request) -> dict[str, Any]:
    """The body, which is a JSON object.

    Raises:
        ApiError: It is none, or too large, or the client has gone.
    """
    _check_content_type(request)
    raw = await _read(request)
    try:
        # Decoded here: json would take UTF-16 and UTF-32, too, and bytes of half a character.
        body = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise invalid(f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    _check_text(raw, body)
    return body


def _check_text(raw: bytes, body: dict[str, Any]) -> None:
    """JSON can escape half of a pair of surrogates, which is no text: nothing can encode it."""
    if rb"\ud" not in raw.lower():
        return
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise invalid("The body has a string that is not Unicode text.") from error


def _check_content_type(request: Request) -> None:
    # A page of another site can have a browser send this server anything but this type without being
    # asked whether it may.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "The content type has to be application/json.")


async def _read(request: Request) -> bytes:
    raw = bytearray()
    try:
        async for part in request.stream():
            raw += part
            if len(raw) > MAX_BODY_BYTES:
                raise ApiError(413, f"The body has more than {MAX_BODY_BYTES} bytes.")
    except ClientDisconnect as error:
        raise client_gone() from error
    return bytes(raw)
