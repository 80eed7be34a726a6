"""GET /v1/models."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onepack import NotFoundError
from onepack.serve.answer_source import AnswerSource
from onepack.serve.protocol import errors
from onepack.serve.protocol.responses import model_response


class ModelsApi:
    def __init__(self, source: AnswerSource[Any]) -> None:
        self._source = source

    def routes(self) -> list[Route]:
        return [
            Route("/v1/models", self.show_all),
            Route("/v1/models/{name:path}", self.show),
        ]

    async def show_all(self, _: Request) -> Response:
        models = [model_response(model) for model in self._source.all()]
        return JSONResponse({"object": "list", "data": models})

    async def show(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            return JSONResponse(model_response(self._source.find(name)))
        except NotFoundError as error:
            raise errors.no_such_model(name) from error
