"""Reading of a tokenizer's files, with the package's errors."""

from __future__ import annotations

from pathlib import Path

from onepack.errors import FileAccessError, NoSuchFileError


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        kind = NoSuchFileError if isinstance(error, FileNotFoundError) else FileAccessError
        refusal = kind(f"{path}: {error.strerror}")
        refusal.filename, refusal.errno = str(path), error.errno
        raise refusal from error


def read_optional_file(path: Path) -> bytes | None:
    """None where there is no such file."""
    try:
        return read_file(path)
    except NoSuchFileError:
        return None
