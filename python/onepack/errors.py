"""Exceptions: one base, and a class of its own for what a caller would catch."""

from __future__ import annotations

import re

from onepack._core import StatusCode


class Error(Exception):
    """Whatever onepack refuses. ``code`` says what to do about it, ``str(error)`` where it was."""

    code: StatusCode = StatusCode.INTERNAL

    def __str__(self) -> str:
        # An OSError would rather show its number and file, which the message has already.
        return str(self.args[0]) if self.args else ""


class InvalidArgumentError(Error, ValueError):
    """The caller passed something wrong: fix the call."""

    code = StatusCode.INVALID_ARGUMENT


class NotFoundError(Error, LookupError):
    """A method, key, adapter or operator that is not there."""

    code = StatusCode.NOT_FOUND


class NoSuchFileError(NotFoundError, FileNotFoundError):
    """A file that is not there. ``filename`` is its path."""


class InvalidFileError(Error, ValueError):
    """The bytes are not what the format says: get another copy of the file."""

    code = StatusCode.INVALID_FILE


class OutOfMemoryError(Error, MemoryError):
    """No memory, no address space, or more than a limit: retry later."""

    code = StatusCode.RESOURCE_EXHAUSTED


class FileAccessError(Error, OSError):
    """The operating system refused a read, a write or a mapping. ``filename`` is the path, and
    ``errno`` the system's number where it gave one."""

    code = StatusCode.IO_ERROR


class CancelledError(Error):
    """A progress callback has returned False."""

    code = StatusCode.CANCELLED


class ClosedError(Error, ValueError):
    """The object was closed."""

    code = StatusCode.FAILED_PRECONDITION


_CLASSES: dict[StatusCode, type[Error]] = {
    StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    StatusCode.NOT_FOUND: NotFoundError,
    StatusCode.INVALID_FILE: InvalidFileError,
    StatusCode.RESOURCE_EXHAUSTED: OutOfMemoryError,
    StatusCode.IO_ERROR: FileAccessError,
    StatusCode.CANCELLED: CancelledError,
}


def _class_of(code: StatusCode, path: str, is_closed: bool) -> type[Error]:
    if is_closed:
        return ClosedError
    if code == StatusCode.NOT_FOUND and path:
        return NoSuchFileError
    return _CLASSES.get(code, Error)


def _error_of(code: StatusCode, message: str, path: str, is_closed: bool) -> Error:
    """What _core raises for a status. ``path``: of the file that was opened, if one was."""
    error = _class_of(code, path, is_closed)(message)
    error.code = code
    if isinstance(error, OSError):
        error.filename = path or None
        error.errno = _errno_of(error)
    return error


def _errno_of(error: OSError) -> int | None:
    # How the core ends the message of what the system refuses; its statuses have no number.
    found = re.search(r"\(errno (\d+)\)$", str(error))
    return int(found[1]) if found else None
