"""POST /v1/chat/completions and /v1/completions."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from onepack import NotFoundError, Sampling
from onepack.serve.answer import Answer, AnswerRequest, End, Outcome
from onepack.serve.engine import Engine
from onepack.serve.models import ServedModel
from onepack.serve.protocol import errors, responses
from onepack.serve.protocol.requests import AnswerFields, ChatRequest, CompletionRequest, parse
from onepack.serve.scheduler import QueueFullError, SchedulerClosedError
from onepack.serve.web.body import read_object
from onepack.serve.web.events import EventQueue, watching

MODEL_IN_SCOPE = "onepack.model"
"""Where the name of the model that is asked is, for whoever counts requests."""

# Long words and rows of spaces are single tokens, but not one after the other through a whole context.
_CHARACTERS_PER_TOKEN = 16


class AnswersApi:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[Route]:
        return [
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.complete, methods=["POST"]),
        ]

    async def chat(self, request: Request) -> Response:
        asked = parse(ChatRequest, await read_object(request))
        model = self._find(request, asked)
        characters = sum(len(message.content) for message in asked.messages)
        _check_length(characters, model, "messages")
        messages = [message.for_template() for message in asked.messages]
        prompt = await run_in_threadpool(self._engine.tokenizer.encode_chat, messages)
        _check_prompt(prompt, model, "messages")
        return await self._answer(request, asked, model, prompt, responses.ChatWriter)

    async def complete(self, request: Request) -> Response:
        asked = parse(CompletionRequest, await read_object(request))
        model = self._find(request, asked)
        prompt: Sequence[int] | str = asked.prompt
        if isinstance(prompt, str):
            _check_length(len(prompt), model, "prompt")
            prompt = await run_in_threadpool(self._engine.tokenizer.encode, prompt)
        _check_prompt(prompt, model, "prompt")
        return await self._answer(request, asked, model, prompt, responses.CompletionWriter)

    def _find(self, request: Request, asked: AnswerFields) -> ServedModel:
        try:
            model = self._engine.models.find(asked.model)
        except NotFoundError as error:
            raise errors.no_such_model(asked.model) from error
        request.scope[MODEL_IN_SCOPE] = model.name
        return model

    async def _answer(
        self,
        request: Request,
        asked: AnswerFields,
        model: ServedModel,
        prompt: Sequence[int],
        make_writer: type[responses.Writer],
    ) -> Response:
        events = EventQueue()
        answer = self._start(model, _request_of(asked, model, prompt), events)
        writer = make_writer(model.name, with_usage=asked.wants_usage)
        running = RunningAnswer(self._engine, answer, events, writer)
        return running if asked.stream else await running.whole(request.receive)

    def _start(self, model: ServedModel, request: AnswerRequest, events: EventQueue) -> Answer:
        try:
            return self._engine.start(model, request, events.put)
        except QueueFullError as error:
            raise errors.queue_full(str(error)) from error
        except SchedulerClosedError as error:
            raise errors.closing() from error


class RunningAnswer(Response):
    """An answer that goes to one client, and ends when that is gone. As a response it is a stream."""

    def __init__(
        self, engine: Engine, answer: Answer, events: EventQueue, writer: responses.Writer
    ) -> None:
        # nginx would collect events before it passes them on.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(media_type="text/event-stream", headers=headers)
        del self.headers["content-length"]  # which of an empty body it was
        self._engine = engine
        self._answer = answer
        self._events = events
        self._writer = writer

    async def whole(self, receive: Receive) -> Response:
        text = ""
        async with watching(receive, self._cancel) as client:
            async for event in self._events.all():
                if isinstance(event, End):
                    if client.has_gone:
                        raise errors.client_gone()
                    _raise_if_ended_badly(event)
                    return JSONResponse(self._writer.whole(text, event))
                text += event.text
        raise AssertionError("every answer has an end")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with watching(receive, self._cancel):
            await send(start)
            async for line in self._lines():
                await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
                # To send need not wait, and then neither would who listens for a client that goes.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b""})

    async def _lines(self) -> AsyncIterator[str]:
        for response in self._writer.first():
            yield _line(response)
        async for event in self._events.all():
            if not isinstance(event, End):
                yield _line(self._writer.text(event.text))
                continue
            try:
                _raise_if_ended_badly(event)
            except errors.ApiError as error:
                yield _line(error.body())
                return
            for response in self._writer.last(event):
                yield _line(response)
        yield "data: [DONE]\n\n"

    def _cancel(self) -> None:
        self._engine.cancel(self._answer)


def _request_of(asked: AnswerFields, model: ServedModel, prompt: Sequence[int]) -> AnswerRequest:
    room = model.language_model.max_context
    most = room if asked.most_tokens is None else min(asked.most_tokens, room)
    # The sampler's seeds have no sign, and OpenAI's have.
    seed = secrets.randbits(64) if asked.seed is None else asked.seed % 2**64
    sampling = Sampling(asked.temperature, asked.top_k, asked.top_p, seed)
    return AnswerRequest(tuple(prompt), most, sampling, tuple(asked.stop), asked.ignore_eos)


def _check_length(characters: int, model: ServedModel, param: str) -> None:
    """Before they become tokens: that takes seconds for a large text, and holds the GIL."""
    room = model.language_model.max_context
    if characters > room * _CHARACTERS_PER_TOKEN:
        message = f"The prompt has {characters} characters; the model's context has {room} tokens."
        raise errors.invalid(message, param, "context_length_exceeded")


def _check_prompt(prompt: Sequence[int], model: ServedModel, param: str) -> None:
    """Now, because a stream that has begun has no status any more."""
    if not prompt:
        raise errors.invalid("The prompt has no tokens.", param, "invalid_value")
    room = model.language_model.max_context
    if len(prompt) > room:
        message = f"The prompt has {len(prompt)} tokens; the model's context has {room}."
        raise errors.invalid(message, param, "context_length_exceeded")
    vocabulary = model.language_model.info.vocab_size
    if vocabulary > 0 and not all(0 <= token < vocabulary for token in prompt):
        message = f"The prompt has a token that is none of the model's {vocabulary}."
        raise errors.invalid(message, param, "invalid_value")


def _raise_if_ended_badly(end: End) -> None:
    if end.outcome == Outcome.CANCELLED:
        raise errors.closing()  # or the client of a stream has gone, and nobody reads this
    if end.error is not None:
        raise errors.of_failed_answer(end.error)


def _line(value: responses.Response | errors.ErrorBody) -> str:
    # In ASCII: some clients take other characters, such as U+2028, for the end of a line.
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n"
