"""The real client package openai against a server."""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from serving import COMMAND, FOREVER, Server, an_engine, serving, until

from onepack import Backend, LanguageModel, NamedData, Program, Sampling
from onepack.serve import AppOptions, Engine

CHAT: list[Any] = [{"role": "user", "content": "one foundation"}]
LIVELY: dict[str, Any] = {"seed": 7, "max_tokens": 24, "extra_body": {"ignore_eos": True}}


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with server.client() as client:
        yield client


def metric(server: Server, name: str) -> float:
    """Of the server's page of metrics; 0 for one that has not been counted yet."""
    with urllib.request.urlopen(f"{server.url}/metrics") as response:
        for line in response.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
    return 0


def chat_text(chunks: Any) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


# ---- Models


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["base", "lora0", "lora1"]
    model = client.models.retrieve("lora0")
    assert (model.id, model.object, model.owned_by) == ("lora0", "model", "onepack")
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("nothing")
    assert raised.value.code == "model_not_found"


# ---- Answers


def tokens_of_command(folder: Path, name: str, tokens: list[int], *options: str) -> list[int]:
    """What ``onepack generate`` prints."""
    data = [folder / "foundation.ptd", *([] if name == "base" else [folder / f"{name}.ptd"])]
    command = [COMMAND, "generate", "--program", str(folder / f"{name}.pte")]
    command += ["--data", ",".join(map(str, data)), "--tokens", ",".join(map(str, tokens))]
    done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    return [int(token) for token in re.split(r"[\s,]+", done.stdout.splitlines()[0]) if token]


@pytest.mark.parametrize("name", ["base", "lora0", "lora1"])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (0.8, 0.95)])
def test_an_answer_is_that_of_the_command_and_of_the_package(
    server: Server,
    client: openai.OpenAI,
    model_folder: Path,
    name: str,
    temperature: float,
    top_p: float,
) -> None:
    prompt = [1, 17, 99]
    answer = client.completions.create(
        model=name, prompt=prompt, temperature=temperature, top_p=top_p, **LIVELY
    )
    options = ["--max-new-tokens", "24", "--seed", "7", "--ignore-eos"]
    options += ["--temperature", str(temperature), "--top-p", str(top_p)]
    tokens = tokens_of_command(model_folder, name, prompt, *options)
    assert answer.choices[0].text == server.engine.tokenizer.decode(tokens)
    files = ["foundation.ptd", *([] if name == "base" else [f"{name}.ptd"])]
    data = [NamedData(model_folder / file) for file in files]
    model = LanguageModel(Program(model_folder / f"{name}.pte"), backend=Backend(), data=data)
    sampling = Sampling(temperature, 0, top_p, 7)
    generation = model.generate(prompt, max_new_tokens=24, sampling=sampling, ignore_eos=True)
    assert tokens == list(generation.result().tokens)


def test_a_text_goes_on(client: openai.OpenAI, engine: Engine) -> None:
    whole = client.completions.create(model="lora0", prompt="one foundation", **LIVELY)
    assert whole.object == "text_completion"
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == len(engine.tokenizer.encode("one foundation"))
    assert whole.usage.completion_tokens == 24
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 24
    chunks = list(
        client.completions.create(model="lora0", prompt="one foundation", stream=True, **LIVELY)
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "length"]
    assert all(chunk.usage is None for chunk in chunks)


def test_a_chat_is_answered(client: openai.OpenAI, engine: Engine) -> None:
    whole = client.chat.completions.create(model="lora1", messages=CHAT, **LIVELY)
    assert whole.object == "chat.completion"
    assert whole.model == "lora1"
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == len(engine.tokenizer.encode_chat(CHAT))
    again = client.chat.completions.create(model="lora1", messages=CHAT, **LIVELY)
    assert again.choices[0].message.content == whole.choices[0].message.content
    other = client.chat.completions.create(model="lora0", messages=CHAT, **LIVELY)
    assert other.choices[0].message.content != whole.choices[0].message.content
    unseeded = client.chat.completions.create(model="lora1", messages=CHAT, max_tokens=24)
    assert unseeded.choices[0].message.content != whole.choices[0].message.content


def test_a_chat_comes_as_a_stream_with_usage(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="lora1", messages=CHAT, **LIVELY)
    chunks = list(
        client.chat.completions.create(
            model="lora1",
            messages=CHAT,
            stream=True,
            stream_options={"include_usage": True},
            **LIVELY,
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chat_text(chunks) == whole.choices[0].message.content
    assert len(chunks) > 10
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stop_string_over_several_tokens_is_not_sent(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="base", messages=CHAT, **LIVELY)
    text = whole.choices[0].message.content
    assert text is not None
    stop = text[len(text) // 2 - 4 : len(text) // 2 + 4]
    ended = client.chat.completions.create(
        model="base", messages=CHAT, stop=["never", stop], **LIVELY
    )
    assert ended.choices[0].message.content == text[: text.index(stop)]
    assert ended.choices[0].finish_reason == "stop"
    assert ended.usage is not None
    assert ended.usage.completion_tokens < 24
    chunks = client.chat.completions.create(
        model="base", messages=CHAT, stop=stop, stream=True, **LIVELY
    )
    assert chat_text(chunks) == text[: text.index(stop)]


# ---- At the same time


def test_two_adapters_stream_at_the_same_time_and_one_is_cancelled(
    server: Server, client: openai.OpenAI
) -> None:
    first = client.chat.completions.create(model="lora0", messages=CHAT, stream=True, **FOREVER)
    assert next(first).choices[0].delta.role == "assistant"
    assert next(first).choices[0].delta.content
    second = client.chat.completions.create(model="lora1", messages=CHAT, stream=True, **FOREVER)
    next(second)
    assert next(second).choices[0].delta.content  # while the first has not ended
    assert metric(server, "onepack_running") == 2
    assert next(first).choices[0].delta.content

    first.close()
    cancelled = 'onepack_answers_total{model="lora0",outcome="cancelled"}'
    until(lambda: metric(server, cancelled) == 1)
    until(lambda: metric(server, "onepack_running") == 1)  # the other one goes on
    made = metric(server, 'onepack_completion_tokens_total{model="lora0"}')
    assert 0 < made < 60000
    assert next(second).choices[0].delta.content
    again = client.chat.completions.create(model="lora0", messages=CHAT, **LIVELY)
    assert again.choices[0].finish_reason == "length"
    assert metric(server, 'onepack_completion_tokens_total{model="lora0"}') == made + 24
    second.close()
    until(lambda: metric(server, "onepack_running") == 0)


def test_who_goes_while_a_whole_answer_is_made_cancels_it(server: Server) -> None:
    async def go_while_it_runs() -> None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            asked = asyncio.create_task(
                client.chat.completions.create(model="base", messages=CHAT, **FOREVER)
            )
            await asyncio.to_thread(until, lambda: server.engine.scheduler.running == 1)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

    asyncio.run(go_while_it_runs())
    cancelled = 'onepack_answers_total{model="base",outcome="cancelled"}'
    until(lambda: metric(server, cancelled) == 1)
    until(lambda: metric(server, "onepack_running") == 0)


def test_who_goes_while_waiting_leaves_the_queue(server: Server, client: openai.OpenAI) -> None:
    running = client.chat.completions.create(model="base", messages=CHAT, stream=True, **FOREVER)
    next(running)
    waiting = client.chat.completions.create(model="base", messages=CHAT, stream=True, **FOREVER)
    next(waiting)  # which says who speaks, before there is anything to say
    until(lambda: metric(server, "onepack_waiting") == 1)
    waiting.close()
    until(lambda: metric(server, "onepack_waiting") == 0)
    assert metric(server, "onepack_running") == 1
    running.close()


def test_beyond_the_queue_there_is_429(server: Server, client: openai.OpenAI) -> None:
    open_streams = [
        client.chat.completions.create(model="base", messages=CHAT, stream=True, **FOREVER)
        for _ in range(3)  # one runs, two wait
    ]
    assert metric(server, "onepack_waiting") == 2
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="base", messages=CHAT)
    assert raised.value.code == "rate_limit_exceeded"
    assert raised.value.response.headers["retry-after"] == "1"
    # Another adapter has its own turn.
    other = client.chat.completions.create(model="lora0", messages=CHAT, **LIVELY)
    assert other.choices[0].finish_reason == "length"
    open_streams[0].close()
    assert any(chunk.choices[0].delta.content for chunk in open_streams[1])
    for stream in open_streams[1:]:
        stream.close()
    refused = 'onepack_requests_total{endpoint="/v1/chat/completions",model="base",status="429"}'
    assert metric(server, refused) == 1


def test_the_client_tries_again_by_itself_after_429(server: Server, client: openai.OpenAI) -> None:
    streams = [
        client.chat.completions.create(model="base", messages=CHAT, stream=True, **FOREVER)
        for _ in range(3)
    ]
    answers: list[Any] = []
    patient = server.client().with_options(max_retries=5)
    ask = threading.Thread(
        target=lambda: answers.append(
            patient.chat.completions.create(model="base", messages=CHAT, **LIVELY)
        )
    )
    ask.start()
    refused = 'onepack_requests_total{endpoint="/v1/chat/completions",model="base",status="429"}'
    until(lambda: metric(server, refused) >= 1)
    for stream in streams:
        stream.close()
    ask.join()
    assert answers[0].choices[0].finish_reason == "length"


# ---- What is refused


def test_an_adapter_that_there_is_not_is_404(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="lora9", messages=CHAT)
    assert raised.value.code == "model_not_found"
    assert raised.value.param == "model"
    assert "lora9" in raised.value.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"temperature": 3.0}, "temperature"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "long " * 70000}]}, "messages"),
    ],
)
def test_a_bad_request_is_400_and_names_the_field(
    client: openai.OpenAI, fields: dict[str, Any], param: str
) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as raised:
            client.chat.completions.create(
                **{"model": "base", "messages": CHAT, "stream": stream, **fields}
            )
        assert raised.value.type == "invalid_request_error"
        assert raised.value.param == param


@pytest.mark.parametrize("prompt", [[1, 2048], [-1], ""])
def test_a_prompt_that_is_none_is_400(client: openai.OpenAI, prompt: Any) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(model="base", prompt=prompt)
    assert raised.value.param == "prompt"


def test_who_has_no_key_is_refused(model_folder: Path) -> None:
    with an_engine(model_folder) as engine, serving(engine, AppOptions("a key")) as server:
        for wrong in ("no key", "a ke", "a keys", "A KEY"):
            with pytest.raises(openai.AuthenticationError) as raised:
                server.client(wrong).models.list()
            assert raised.value.code == "invalid_api_key"
        assert [model.id for model in server.client("a key").models.list()] == ["base"]


def test_a_server_that_closes_ends_its_streams(engine: Engine) -> None:
    with serving(engine) as server:
        stream = server.client().chat.completions.create(
            model="base", messages=CHAT, stream=True, **FOREVER
        )
        next(stream)
        engine.close()
        with pytest.raises(openai.APIError, match="closing"):
            list(stream)
