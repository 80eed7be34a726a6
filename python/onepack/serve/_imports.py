"""What is installed with the extra "serve" only."""

from __future__ import annotations

import importlib

# Starlette and not FastAPI: errors and the verification of requests have to be OpenAI's, which leaves
# nothing of what FastAPI adds.
_NEEDED = ("starlette", "uvicorn", "pydantic", "prometheus_client")


def check_imports() -> None:
    """ImportError says how it is installed."""
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            message = f"onepack.serve needs {name}: pip install 'onepack[serve]'"
            raise ImportError(message, name=name) from error
