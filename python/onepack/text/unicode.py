"""Which strings are text."""

from __future__ import annotations


def is_unicode(text: str) -> bool:
    """False if the string contains a lone surrogate. UTF-8 cannot encode it, and each of the libraries
    reacts in another way: with an error of its own, or by replacing it."""
    try:
        str.encode(text, "utf-8")
    except UnicodeEncodeError:
        return False
    return True
