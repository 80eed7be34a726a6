"""Answers of an engine to requests of the protocol. Knows nothing of HTTP."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence

from anyio import to_thread

from onepack import Sampling
from onepack.serve.answer import Answer, AnswerRequest, End, Event, Outcome
from onepack.serve.answer_source import Asked
from onepack.serve.engine import Engine
from onepack.serve.event_queue import EventQueue
from onepack.serve.models import ServedModel
from onepack.serve.protocol import errors
from onepack.serve.protocol.requests import ChatRequest
from onepack.serve.scheduler import QueueFullError, SchedulerClosedError

# Long words and rows of spaces are single tokens, but not one after the other through a whole context.
_CHARACTERS_PER_TOKEN = 16


class EngineSource:
    """An AnswerSource. ``begin`` also takes models that the engine does not list."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> Sequence[ServedModel]:
        return self._engine.models.all()

    def find(self, name: str) -> ServedModel:
        return self._engine.models.find(name)

    async def begin(self, model: ServedModel, asked: Asked) -> EngineAnswer:
        request = _request_of(asked, model, await self._prompt(model, asked))
        events = EventQueue()
        try:
            answer = self._engine.start(model, request, events.put)
        except QueueFullError as error:
            raise errors.queue_full(str(error)) from error
        except SchedulerClosedError as error:
            raise errors.closing() from error
        return EngineAnswer(self._engine, answer, events)

    async def _prompt(self, model: ServedModel, asked: Asked) -> Sequence[int]:
        if isinstance(asked, ChatRequest):
            prompt = await self._prompt_of_chat(model, asked)
            _check_prompt(prompt, model, "messages")
        else:
            prompt = await self._prompt_of_text(model, asked.prompt)
            _check_prompt(prompt, model, "prompt")
        return prompt

    async def _prompt_of_chat(self, model: ServedModel, asked: ChatRequest) -> Sequence[int]:
        characters = sum(len(message.content) for message in asked.messages)
        _check_length(characters, model, "messages")
        messages = [message.for_template() for message in asked.messages]
        return await to_thread.run_sync(self._engine.tokenizer.encode_chat, messages)

    async def _prompt_of_text(self, model: ServedModel, prompt: str | list[int]) -> Sequence[int]:
        if not isinstance(prompt, str):
            return prompt
        _check_length(len(prompt), model, "prompt")
        return await to_thread.run_sync(self._engine.tokenizer.encode, prompt)


class EngineAnswer:
    """A BegunAnswer."""

    headers: Mapping[str, str] = {}

    def __init__(self, engine: Engine, answer: Answer, events: EventQueue) -> None:
        self._engine = engine
        self._answer = answer
        self._events = events

    async def events(self) -> AsyncIterator[Event]:
        async for event in self._events.all():
            if isinstance(event, End):
                _raise_if_ended_badly(event)
            yield event

    def cancel(self) -> None:
        self._engine.cancel(self._answer)


def _request_of(asked: Asked, model: ServedModel, prompt: Sequence[int]) -> AnswerRequest:
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
