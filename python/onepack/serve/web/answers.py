"""POST /v1/chat/completions and /v1/completions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from onepack import NotFoundError
from onepack.serve.answer import End, Event
from onepack.serve.answer_source import AnswerSource, Asked, BegunAnswer
from onepack.serve.protocol import errors, responses
from onepack.serve.protocol.requests import ChatRequest, CompletionRequest, parse
from onepack.serve.web.body import read_object
from onepack.serve.web.watching import watching

MODEL_IN_SCOPE = "onepack.model"
"""Where the name of the model that is asked is, for whoever counts requests."""


class AnswersApi:
    def __init__(self, source: AnswerSource[Any]) -> None:
        self._source = source

    def routes(self) -> list[Route]:
        return [
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.complete, methods=["POST"]),
        ]

    async def chat(self, request: Request) -> Response:
        asked = parse(ChatRequest, await read_object(request))
        return await self._answer(request, asked, responses.ChatWriter)

    async def complete(self, request: Request) -> Response:
        asked = parse(CompletionRequest, await read_object(request))
        return await self._answer(request, asked, responses.CompletionWriter)

    async def _answer(
        self, request: Request, asked: Asked, make_writer: type[responses.Writer]
    ) -> Response:
        try:
            model = self._source.find(asked.model)
        except NotFoundError as error:
            raise errors.no_such_model(asked.model) from error
        request.scope[MODEL_IN_SCOPE] = model.name
        answer = await self._source.begin(model, asked)
        writer = make_writer(model.name, with_usage=asked.wants_usage)
        running = RunningAnswer(answer, writer)
        return running if asked.stream else await running.whole(request.receive)


class RunningAnswer(Response):
    """An answer that goes to one client, and ends when that is gone. As a response it is a stream."""

    def __init__(self, answer: BegunAnswer, writer: responses.Writer) -> None:
        # nginx would collect events before it passes them on.
        headers = {**answer.headers, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", headers=headers)
        del self.headers["content-length"]  # which of an empty body it was
        self._answer = answer
        self._writer = writer

    async def whole(self, receive: Receive) -> Response:
        async with watching(receive, self._answer.cancel) as client:
            try:
                response = await self._whole()
            except errors.ApiError as error:
                if client.has_gone:
                    raise errors.client_gone() from error
                raise
            if client.has_gone:
                raise errors.client_gone()
            return JSONResponse(response, headers=self._answer.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with watching(receive, self._answer.cancel):
            await send(start)
            async for line in self._lines():
                await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
                # To send need not wait, and then neither would who listens for a client that goes.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b""})

    async def _whole(self) -> responses.Response:
        text = ""
        async for event in self._answer.events():
            if isinstance(event, End):
                return self._writer.whole(text, event)
            text += event.text
        raise AssertionError("every answer has an end")

    async def _lines(self) -> AsyncIterator[str]:
        for response in self._writer.first():
            yield _line(response)
        try:
            async for event in self._answer.events():
                for response in self._written(event):
                    yield _line(response)
        except errors.ApiError as error:
            yield _line(error.body())
            return
        yield "data: [DONE]\n\n"

    def _written(self, event: Event) -> list[responses.Response]:
        if isinstance(event, End):
            return self._writer.last(event)
        return [self._writer.text(event.text)]


def _line(value: responses.Response | errors.ErrorBody) -> str:
    # In ASCII: some clients take other characters, such as U+2028, for the end of a line.
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n"
