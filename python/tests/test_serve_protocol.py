"""What requests may ask, and what is refused, without a model."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from onepack import InvalidArgumentError
from onepack.serve.protocol import errors, requests
from onepack.serve.protocol.errors import ApiError
from onepack.serve.protocol.requests import (
    AdapterRequest,
    ChatRequest,
    CompletionRequest,
    parse,
)

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TEXT: dict[str, Any] = {"model": "m", "prompt": "hi"}


def refused(kind: Any, body: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(ApiError) as raised:
        parse(kind, body)
    assert raised.value.status == 400
    fields = json.loads(json.dumps(raised.value.body()))["error"]
    assert set(fields) == {"message", "type", "param", "code"}
    assert fields["type"] == "invalid_request_error"
    return dict(fields)


def test_defaults_are_those_of_openai() -> None:
    chat = parse(ChatRequest, CHAT)
    assert (chat.temperature, chat.top_p, chat.seed, chat.stop) == (1.0, 1.0, None, [])
    assert chat.most_tokens is None
    assert not chat.stream
    text = parse(CompletionRequest, TEXT)
    assert text.most_tokens == 16
    assert text.prompt == "hi"


NEUTRAL: dict[str, Any] = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "frequency_penalty": 0,
    "presence_penalty": 0.0,
    "logit_bias": {},
    "tools": [],
    "tool_choice": "none",
    "response_format": {"type": "text"},
    "best_of": 1,
    "echo": False,
    "suffix": None,
    "user": "someone",
    "metadata": {"a": "b"},
    "store": False,
    "stop": None,
    "seed": None,
    "stream_options": None,
}


@pytest.mark.parametrize("field", NEUTRAL)
def test_what_asks_for_nothing_may_be_sent(field: str) -> None:
    assert parse(ChatRequest, {**CHAT, field: NEUTRAL[field]}) == parse(ChatRequest, CHAT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("n", True),
        ("logprobs", True),
        ("logprobs", 0),
        ("top_logprobs", 3),
        ("frequency_penalty", 0.1),
        ("presence_penalty", -1),
        ("logit_bias", {"5": 100}),
        ("tools", [{"type": "function"}]),
        ("tool_choice", "required"),
        ("functions", [{}]),
        ("response_format", {"type": "json_object"}),
        ("best_of", 3),
        ("echo", True),
        ("suffix", "end"),
        ("store", True),
        ("modalities", ["text", "audio"]),
        ("prediction", {}),
        ("reasoning_effort", "high"),
    ],
)
def test_what_is_not_supported_is_named(field: str, value: Any) -> None:
    error = refused(ChatRequest, {**CHAT, field: value})
    assert (error["param"], error["code"]) == (field, "unsupported_parameter")
    assert repr(field) in error["message"]


def test_a_field_that_there_is_not_is_named() -> None:
    error = refused(ChatRequest, {**CHAT, "temprature": 1})
    assert (error["param"], error["code"]) == ("temprature", "unknown_parameter")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("temperature", "hot"),
        ("top_p", 0),
        ("top_p", 1e-46),
        ("top_p", 1.5),
        ("seed", 2**64),
        ("seed", -(2**63) - 1),
        ("seed", 1.5),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("max_completion_tokens", -1),
        ("stop", ""),
        ("stop", ["a", ""]),
        ("stop", [1]),
        ("stop", {"a": 1}),
        ("stop", ["a"] * 17),
        ("stream", "yes"),
        ("top_k", -1),
        ("model", 5),
        ("messages", []),
        ("messages", "hi"),
    ],
)
def test_a_value_that_is_none_is_named(field: str, value: Any) -> None:
    error = refused(ChatRequest, {**CHAT, field: value})
    assert (error["param"], error["code"]) == (field, "invalid_value")


@pytest.mark.parametrize("field", ["model", "messages"])
def test_what_is_missing_is_named(field: str) -> None:
    error = refused(ChatRequest, {name: v for name, v in CHAT.items() if name != field})
    assert (error["param"], error["code"]) == (field, "missing_required_parameter")


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "x"}, "messages.0.role"),
        ({"role": "user"}, "messages.0.content"),
        ({"role": "user", "content": 5}, "messages.0.content"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages.0.content"),
        ({"role": "assistant", "content": "x", "tool_calls": [1]}, "messages.0.tool_calls"),
        ("hi", "messages.0"),
    ],
)
def test_a_message_that_is_none_is_named(message: Any, param: str) -> None:
    assert refused(ChatRequest, {**CHAT, "messages": [message]})["param"] == param


MANY = 100_000


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        (ChatRequest, {"messages": [5] * MANY}, "messages"),
        (ChatRequest, {"messages": [5] * 4096}, "messages.0"),
        (ChatRequest, {"messages": [dict.fromkeys(map(str, range(MANY)), 1)]}, "messages.0"),
        (
            ChatRequest,
            {"stream": True, "stream_options": dict.fromkeys(map(str, range(MANY)), 1)},
            "stream_options",
        ),
        (AdapterRequest, {"data": [5] * MANY}, "data"),
        (AdapterRequest, {"data": [5] * 64}, "data.0"),
    ],
)
def test_many_errors_cost_no_more_than_few(
    kind: Any, fields: dict[str, Any], param: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    invalid_of = requests._invalid_of

    def count(error: ValidationError) -> ApiError:
        counts.append(error.error_count())
        return invalid_of(error)

    monkeypatch.setattr(requests, "_invalid_of", count)
    body = {**CHAT, **fields} if kind is ChatRequest else {"name": "a", "program": "a", **fields}
    assert refused(kind, body)["param"] == param
    assert counts == [1]


def test_messages_are_strings_or_parts_of_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    answer = {"role": "assistant", "content": "c", "refusal": None, "tool_calls": None}
    asked = parse(
        ChatRequest,
        {
            "model": "m",
            "messages": [
                {"role": "developer", "content": "be kind"},
                {"role": "user", "content": parts, "name": "Ann"},
                answer,
            ],
        },
    )
    assert [message.for_template() for message in asked.messages] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "ab", "name": "Ann"},
        {"role": "assistant", "content": "c"},
    ]


def test_a_verified_request_that_fails_is_the_servers_failure() -> None:
    error = InvalidArgumentError("of the model")
    assert errors.of_exception(error).status == 400
    assert errors.of_failed_answer(error).status == 500


def test_the_newer_name_of_max_tokens_and_the_older_one() -> None:
    for fields in ({"max_tokens": 5}, {"max_completion_tokens": 5}):
        assert parse(ChatRequest, {**CHAT, **fields}).most_tokens == 5
    both = {"max_tokens": 7, "max_completion_tokens": 5}
    assert parse(ChatRequest, {**CHAT, **both}).most_tokens == 5
    # It is no field of completions.
    assert refused(CompletionRequest, {**TEXT, **both})["param"] == "max_completion_tokens"


@pytest.mark.parametrize("prompt", ["hi", ["hi"]])
def test_a_prompt_may_be_the_only_one_of_a_list(prompt: Any) -> None:
    assert parse(CompletionRequest, {**TEXT, "prompt": prompt}).prompt == "hi"


@pytest.mark.parametrize("prompt", [[1, 2], [[1, 2]]])
def test_a_prompt_may_be_tokens(prompt: Any) -> None:
    assert parse(CompletionRequest, {**TEXT, "prompt": prompt}).prompt == [1, 2]


@pytest.mark.parametrize("prompt", [["a", "b"], [], [[]], [[1], [2]], [1, "a"], [1.5], [True], 5])
def test_several_prompts_and_what_is_none_are_refused(prompt: Any) -> None:
    assert refused(CompletionRequest, {**TEXT, "prompt": prompt})["param"].startswith("prompt")


def test_options_of_a_stream_are_for_streams() -> None:
    options = {"stream_options": {"include_usage": True}}
    assert parse(ChatRequest, {**CHAT, **options, "stream": True}).wants_usage
    nulls = {"stream_options": {"include_usage": None, "include_obfuscation": None}}
    assert not parse(ChatRequest, {**CHAT, **nulls, "stream": True}).wants_usage
    assert refused(ChatRequest, {**CHAT, **options})["param"] == "stream_options"
    wrong = {"stream": True, "stream_options": {"include_everything": True}}
    assert refused(ChatRequest, {**CHAT, **wrong})["code"] == "unsupported_parameter"


@pytest.mark.parametrize("name", ["", ".", "-a", "a b", "a\n", "ä", "a" * 129])
def test_a_name_of_an_adapter_is_plain(name: str) -> None:
    assert refused(AdapterRequest, {"name": name, "program": "a.pte"})["param"] == "name"


def test_an_adapter_may_have_no_data_one_file_or_several() -> None:
    body = {"name": "org/model:v1", "program": "a.pte"}
    assert parse(AdapterRequest, body).data == []
    assert parse(AdapterRequest, {**body, "data": "a.ptd"}).data == ["a.ptd"]
    assert parse(AdapterRequest, {**body, "data": ["a", "b"]}).data == ["a", "b"]


def test_an_error_of_another_process_is_the_same() -> None:
    for error in (errors.queue_full("full"), errors.no_such_model("m"), errors.unsupported("n")):
        other = pickle.loads(pickle.dumps(error))
        assert isinstance(other, ApiError)
        assert (other.status, other.headers, other.body()) == (
            error.status,
            error.headers,
            error.body(),
        )
