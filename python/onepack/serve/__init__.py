"""A server of OpenAI's API: one foundation, many adapters.

    python -m onepack serve base.pte --data foundation.ptd --tokenizer tokenizer.json \\
        --adapter french=french.pte,french.ptd

What it needs is installed by ``pip install 'onepack[serve]'``. ``open_engine`` and ``create_app`` are
for other servers of ASGI applications.
"""

from onepack.serve._imports import check_imports

check_imports()

from onepack.serve.engine import Engine
from onepack.serve.files import AdapterFiles, EngineFiles, open_engine
from onepack.serve.prefixes import ContextLimits
from onepack.serve.web.app import AppOptions, create_app, create_openai_app

__all__ = [
    "AdapterFiles",
    "AppOptions",
    "ContextLimits",
    "Engine",
    "EngineFiles",
    "create_app",
    "create_openai_app",
    "open_engine",
]
