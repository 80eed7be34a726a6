"""/v1/adapters: what models cost, and how they come and go."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onepack import Error, InvalidArgumentError, NotFoundError, OutOfMemoryError
from onepack.serve.engine import Engine
from onepack.serve.models import AdapterExistsError, ServedModel
from onepack.serve.process_memory import ProcessMemory
from onepack.serve.protocol import errors
from onepack.serve.protocol.requests import AdapterRequest, parse
from onepack.serve.protocol.responses import model_response
from onepack.serve.web.body import read_object

_MOST_WAITING_LOADS = 8


class AdaptersApi:
    """``adapters_dir``: where adapters may be loaded from while the server runs; None: nowhere."""

    def __init__(self, engine: Engine, adapters_dir: Path | None) -> None:
        self._engine = engine
        self._models = engine.models
        self._adapters_dir = None if adapters_dir is None else adapters_dir.resolve()
        # Loads take turns anyway: those that wait shall not hold the threads that prompts need.
        self._loads = CapacityLimiter(1)
        self._load_count = 0  # running or waiting

    def routes(self) -> list[Route]:
        return [
            Route("/v1/adapters", self.show_all),
            Route("/v1/adapters", self.add, methods=["POST"]),
            Route("/v1/adapters/{name:path}", self.drop, methods=["DELETE"]),
        ]

    async def show_all(self, _: Request) -> Response:
        return JSONResponse(
            {
                "object": "list",
                "data": [_adapter_response(model) for model in self._models.all()],
                "process": asdict(ProcessMemory.now()),
                "has_chat_template": self._engine.tokenizer.config.chat_template is not None,
                "can_change": self._adapters_dir is not None,
            }
        )

    async def add(self, request: Request) -> Response:
        folder = self._folder()
        asked = parse(AdapterRequest, await read_object(request))
        program = _path_in(folder, asked.program, "program")
        data = [_path_in(folder, name, "data") for name in asked.data]
        try:
            model = await self._load(asked.name, program, data)
        except Error as error:
            raise _refused(asked.name, error) from error
        return JSONResponse(_adapter_response(model), 201)

    async def _load(self, name: str, program: Path, data: list[Path]) -> ServedModel:
        if self._load_count > _MOST_WAITING_LOADS:
            raise errors.queue_full(f"{_MOST_WAITING_LOADS} adapters are waiting to be loaded")
        # Counted here: the limiter counts who waits only when others have run in between.
        self._load_count += 1
        try:
            add = self._models.add
            return await to_thread.run_sync(add, name, program, data, limiter=self._loads)
        finally:
            self._load_count -= 1

    async def drop(self, request: Request) -> Response:
        self._folder()
        name = request.path_params["name"]
        try:
            # What it costs goes back here, if no request has it: to unmap takes a while.
            await run_in_threadpool(self._models.drop, name)
        except NotFoundError as error:
            raise errors.no_such_model(name) from error
        except InvalidArgumentError as error:
            raise errors.invalid(str(error)) from error
        return JSONResponse({"id": name, "object": "adapter", "deleted": True})

    def _folder(self) -> Path:
        if self._adapters_dir is None:
            message = "This server's adapters are fixed: it was started without --adapters-dir."
            raise errors.ApiError(403, message, code="adapters_are_fixed")
        return self._adapters_dir


def _adapter_response(model: ServedModel) -> dict[str, Any]:
    return {
        **model_response(model),
        "object": "adapter",
        "is_base": model.is_base,
        "max_context": model.language_model.max_context,
        "memory": asdict(model.memory),
    }


def _path_in(folder: Path, name: str, param: str) -> Path:
    """Links are followed first: one in the folder leads nowhere else."""
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise errors.invalid(f"{name!r} is no path: {error}", param) from error
    if not path.is_relative_to(folder):
        message = f"{name!r} is not in the folder that this server takes adapters from."
        raise errors.invalid(message, param, "path_not_allowed")
    return path


def _refused(name: str, error: Error) -> errors.ApiError:
    if isinstance(error, OutOfMemoryError):
        return errors.of_exception(error)
    message = f"adapter {name!r} is refused: {error}"
    if isinstance(error, AdapterExistsError):
        return errors.ApiError(409, message, param="name", code="already_exists")
    return errors.invalid(message, code=error.code.name.lower())
