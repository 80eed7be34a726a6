"""Responses, and the events of streams."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

import onepack
from onepack.serve.answer import End
from onepack.serve.answer_source import ListedModel

FINGERPRINT = f"onepack-{onepack.__version__}"
"""The same seed gives the same answer as long as this, the model and the request are the same, on one
machine and with the same options of the command: both say in which order numbers are added."""

FinishReason = Literal["stop", "length"]


class PromptTokensDetails(TypedDict):
    cached_tokens: int


class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class Response(TypedDict):
    """An answer, whole or an event of it."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    choices: list[dict[str, Any]]
    usage: NotRequired[Usage | None]


class ModelResponse(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


def model_response(model: ListedModel) -> ModelResponse:
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": "onepack"}


def usage_of(end: End) -> Usage:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": end.reused_tokens},
    }


def finish_reason_of(end: End) -> FinishReason:
    """REQUIRES: it was neither cancelled nor failed."""
    return "stop" if end.outcome.value == "stop" else "length"


class Writer(ABC):
    """Writes the responses to one request."""

    id_prefix: str
    object_name: str
    event_name: str

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self._id = f"{self.id_prefix}-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._model = model
        self._with_usage = with_usage

    def whole(self, text: str, end: End) -> Response:
        choice = self._whole_choice(text, finish_reason_of(end))
        return {**self._response(self.object_name, [choice]), "usage": usage_of(end)}

    def first(self) -> list[Response]:
        """The events before any text."""
        return []

    def text(self, text: str) -> Response:
        return self._event([self._choice(text, None)])

    def last(self, end: End) -> list[Response]:
        events = [self._event([self._choice("", finish_reason_of(end))])]
        if self._with_usage:
            events.append({**self._event([]), "usage": usage_of(end)})
        return events

    @abstractmethod
    def _whole_choice(self, text: str, reason: FinishReason) -> dict[str, Any]: ...

    @abstractmethod
    def _choice(self, text: str, reason: FinishReason | None) -> dict[str, Any]: ...

    def _event(self, choices: list[dict[str, Any]]) -> Response:
        event = self._response(self.event_name, choices)
        if self._with_usage:
            event["usage"] = None  # which tells clients that it comes
        return event

    def _response(self, kind: str, choices: list[dict[str, Any]]) -> Response:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        }


class ChatWriter(Writer):
    id_prefix = "chatcmpl"
    object_name = "chat.completion"
    event_name = "chat.completion.chunk"

    def first(self) -> list[Response]:
        return [self._event([_choice({"delta": {"role": "assistant", "content": ""}}, None)])]

    def _whole_choice(self, text: str, reason: FinishReason) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return _choice({"message": message}, reason)

    def _choice(self, text: str, reason: FinishReason | None) -> dict[str, Any]:
        return _choice({"delta": {"content": text} if text else {}}, reason)


class CompletionWriter(Writer):
    id_prefix = "cmpl"
    object_name = "text_completion"
    event_name = "text_completion"

    def _whole_choice(self, text: str, reason: FinishReason) -> dict[str, Any]:
        return self._choice(text, reason)

    def _choice(self, text: str, reason: FinishReason | None) -> dict[str, Any]:
        return _choice({"text": text}, reason)


def _choice(content: dict[str, Any], reason: FinishReason | None) -> dict[str, Any]:
    return {"index": 0, **content, "logprobs": None, "finish_reason": reason}
