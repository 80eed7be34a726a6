"""What is installed with an extra only."""

from __future__ import annotations

import importlib
from typing import Any


def import_for_text(name: str) -> Any:
    """The module ``name``; ImportError says how it is installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"onepack.text needs {name.partition('.')[0]} for this: pip install 'onepack[text]'",
            name=error.name,
        ) from error
