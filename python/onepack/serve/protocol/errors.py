"""Errors as clients of OpenAI's API read them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypedDict

from onepack import Error, InvalidArgumentError, OutOfMemoryError


class ErrorFields(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(TypedDict):
    error: ErrorFields


class ApiError(Exception):
    """What a request gets instead of an answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self._kind = kind
        self._param = param
        self._code = code

    def __reduce__(self) -> tuple[Any, ...]:
        """It may come from another process; exceptions are made again of positional arguments alone."""
        make = partial(
            ApiError, kind=self._kind, param=self._param, code=self._code, headers=self.headers
        )
        return make, (self.status, str(self))

    def body(self) -> ErrorBody:
        return {
            "error": {
                "message": str(self),
                "type": self._kind,
                "param": self._param,
                "code": self._code,
            }
        }


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, param=param, code=code)


def unsupported(field: str, message: str = "is not supported by this server") -> ApiError:
    return invalid(f"{field!r} {message}", field, "unsupported_parameter")


def no_such_model(name: str) -> ApiError:
    message = f"The model {name!r} does not exist."
    return ApiError(404, message, param="model", code="model_not_found")


def queue_full(message: str) -> ApiError:
    return ApiError(
        429,
        message,
        kind="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"Retry-After": "1"},
    )


def closing() -> ApiError:
    return ApiError(503, "The server is closing.", kind="server_error", code="server_closing")


def client_gone() -> ApiError:
    """Nobody reads it; requests are counted by it."""
    return ApiError(499, "The client has gone.", code="client_gone")


def of_exception(error: Exception) -> ApiError:
    """What a request has raised before its answer began."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InvalidArgumentError):
        return invalid(str(error))
    return of_failed_answer(error)


def of_failed_answer(error: Exception) -> ApiError:
    """Of a request that was verified, so that the failure is the server's whatever its class."""
    if isinstance(error, OutOfMemoryError):
        return ApiError(503, str(error), kind="server_error", code="out_of_memory")
    if isinstance(error, Error):
        return ApiError(500, str(error), kind="server_error", code=error.code.name.lower())
    return ApiError(500, "The server has failed; its log says more.", kind="server_error")
