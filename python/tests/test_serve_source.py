"""OpenAI's endpoints over answers that come from elsewhere."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from serving import listening, until

from onepack import NotFoundError
from onepack.serve import create_openai_app
from onepack.serve.answer import End, Event, Outcome, Text
from onepack.serve.answer_source import Asked
from onepack.serve.protocol.errors import ApiError, queue_full
from onepack.serve.protocol.requests import ChatRequest

CHAT: Any = [{"role": "user", "content": "hi"}]


@dataclass(frozen=True)
class ElsewhereModel:
    name: str
    created: int = 5


@dataclass
class ElsewhereAnswer:
    read: list[Event | ApiError]
    headers: dict[str, str] = field(default_factory=lambda: {"X-From": "elsewhere"})
    is_cancelled: bool = False

    async def events(self) -> AsyncIterator[Event]:
        for event in self.read:
            if isinstance(event, ApiError):
                raise event
            yield event

    def cancel(self) -> None:
        self.is_cancelled = True


class Elsewhere:
    """Gives ``next``, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.next: ElsewhereAnswer | ApiError = queue_full("nothing yet")

    def all(self) -> Sequence[ElsewhereModel]:
        return [ElsewhereModel("far"), ElsewhereModel("away")]

    def find(self, name: str) -> ElsewhereModel:
        if name not in ("far", "away"):
            raise NotFoundError(name)
        return ElsewhereModel(name)

    async def begin(self, model: ElsewhereModel, asked: Asked) -> ElsewhereAnswer:
        assert model.name == asked.model
        self.asked.append(asked)
        if isinstance(self.next, ApiError):
            raise self.next
        return self.next


@pytest.fixture
def source() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def url(source: Elsewhere) -> Iterator[str]:
    with listening(create_openai_app(source)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


GOOD: list[Event | ApiError] = [Text("a good "), Text("answer"), End(Outcome.STOP, "far", 3, 2)]


def test_its_models_are_listed_and_answer(source: Elsewhere, client: openai.OpenAI) -> None:
    assert [(model.id, model.created) for model in client.models.list()] == [
        ("far", 5),
        ("away", 5),
    ]
    source.next = ElsewhereAnswer(GOOD)
    raw = client.chat.completions.with_raw_response.create(model="far", messages=CHAT, seed=7)
    assert raw.headers["x-from"] == "elsewhere"
    whole = raw.parse()
    assert whole.choices[0].message.content == "a good answer"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (3, 2)
    (asked,) = source.asked
    assert isinstance(asked, ChatRequest)
    assert (asked.seed, asked.messages[0].content) == (7, "hi")
    assert source.next.is_cancelled  # whoever gave it may forget it


def test_a_stream_says_where_it_comes_from(source: Elsewhere, client: openai.OpenAI) -> None:
    source.next = ElsewhereAnswer(GOOD)
    with client.completions.with_streaming_response.create(
        model="away", prompt="hi", stream=True
    ) as raw:
        assert raw.headers["x-from"] == "elsewhere"
        assert raw.headers["content-type"].startswith("text/event-stream")
        assert "".join(chunk.choices[0].text for chunk in raw.parse()) == "a good answer"
    until(lambda: vars(source.next)["is_cancelled"])


def test_what_is_refused_there_is_refused_here(source: Elsewhere, client: openai.OpenAI) -> None:
    source.next = queue_full("too many")
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(model="far", messages=CHAT, stream=stream)
        assert raised.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nowhere", messages=CHAT)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="far", messages=CHAT, n=2)
    assert len(source.asked) == 2


def test_an_answer_that_breaks_off_is_an_error(source: Elsewhere, client: openai.OpenAI) -> None:
    gone = ApiError(503, "it has gone", kind="server_error", code="gone")
    source.next = ElsewhereAnswer([Text("the beginning"), gone])
    with pytest.raises(openai.InternalServerError, match="it has gone") as raised:
        client.chat.completions.create(model="far", messages=CHAT)
    assert raised.value.code == "gone"
    stream = client.chat.completions.create(model="far", messages=CHAT, stream=True)
    assert next(stream).choices[0].delta.role == "assistant"
    assert next(stream).choices[0].delta.content == "the beginning"
    with pytest.raises(openai.APIError, match="it has gone"):
        next(stream)


def test_only_openais_endpoints_are_there(url: str) -> None:
    assert urllib.request.urlopen(f"{url}/health").status == 200
    for path in ("/", "/metrics", "/v1/adapters"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url + path)


def test_it_has_a_key_and_names(source: Elsewhere) -> None:
    app = create_openai_app(source, api_key="a key", allowed_hosts=["127.0.0.1"])
    with listening(app) as url:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/v1/models")
        key = {"Authorization": "Bearer a key"}
        models = urllib.request.Request(f"{url}/v1/models", headers=key)
        assert urllib.request.urlopen(models).status == 200
        key["Host"] = "elsewhere.example"
        models = urllib.request.Request(f"{url}/v1/models", headers=key)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(models)
