"""Two replicas on this machine, through the real client package openai."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from cluster import ADAPTERS, ONGOING, QUEUED, REPLICAS, Cluster
from mapped import mapped_bytes
from ray.exceptions import RayTaskError
from ray_serve.replica_source import REPLICA_HEADER
from serving import until

from onepack import Backend, LanguageModel, LinearLayout, NamedData, Program, Sampling
from onepack.serve.answer import Text
from onepack.serve.protocol.requests import CompletionRequest, parse
from onepack.text import Tokenizer

MODELS = ("base", *ADAPTERS)
PROMPT = [1, 17, 99]
FIELDS: dict[str, Any] = {"prompt": PROMPT, "seed": 7, "temperature": 0.8, "max_tokens": 16}
LIVELY: dict[str, Any] = {**FIELDS, "extra_body": {"ignore_eos": True}}
FOREVER: dict[str, Any] = {**LIVELY, "max_tokens": 8000, "stream": True}


@pytest.fixture(scope="module")
def expected(cluster: Cluster) -> dict[str, str]:
    """What the package itself answers."""
    return {name: _answer_of_package(cluster, name) for name in MODELS}


def _answer_of_package(cluster: Cluster, name: str) -> str:
    files = ["foundation.ptd", *([] if name == "base" else [f"{name}.ptd"])]
    data = [NamedData(cluster.folder / file) for file in files]
    backend = Backend(linears=LinearLayout.IN_PLACE)
    with LanguageModel(
        Program(cluster.folder / f"{name}.pte"), backend=backend, data=data
    ) as model:
        generation = model.generate(
            PROMPT, max_new_tokens=16, sampling=Sampling(0.8, 0, 1.0, 7), ignore_eos=True
        )
        return Tokenizer.open(cluster.folder).decode(generation.result().tokens)


def ask(client: openai.OpenAI, model: str) -> tuple[str, str]:
    """The answer, and the replica that gave it."""
    raw = client.completions.with_raw_response.create(model=model, **LIVELY)
    return raw.parse().choices[0].text, raw.headers[REPLICA_HEADER]


def ask_as_stream(client: openai.OpenAI, model: str) -> str:
    return text_of(client.completions.create(model=model, stream=True, **LIVELY))


def text_of(chunks: Iterable[Any]) -> str:
    return "".join(chunk.choices[0].text for chunk in chunks)


# ---- Answers


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == list(MODELS)
    assert client.models.retrieve("lora3").id == "lora3"


def test_answers_are_those_of_the_package(client: openai.OpenAI, expected: dict[str, str]) -> None:
    assert len(set(expected.values())) == len(MODELS)
    for name in MODELS:
        assert ask(client, name)[0] == expected[name]
        assert ask_as_stream(client, name) == expected[name]


def test_a_chat_comes_as_a_stream(client: openai.OpenAI) -> None:
    chat: dict[str, Any] = {"model": "lora1", "messages": [{"role": "user", "content": "bace"}]}
    chat |= {"seed": 7, "max_tokens": 16, "extra_body": {"ignore_eos": True}}
    whole = client.chat.completions.create(**chat)
    chunks = list(client.chat.completions.create(stream=True, **chat))
    assert len(chunks) > 8
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "length"


def test_what_cannot_be_answered_is_refused(client: openai.OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as unknown:
            client.completions.create(model="lora9", prompt="hi", stream=stream)
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as bad:  # found by the ingress
            client.completions.create(model="lora0", prompt="hi", n=2, stream=stream)
        assert bad.value.param == "n"
        with pytest.raises(openai.BadRequestError) as too_long:  # found by a replica
            client.completions.create(model="lora0", prompt=[5] * 9000, stream=stream)
        assert too_long.value.code == "context_length_exceeded"


# ---- Replicas


def loads(cluster: Cluster) -> dict[str, dict[str, int]]:
    """By replica and adapter."""
    return {name: stats.loads for name, stats in cluster.stats().items()}


def test_an_adapter_is_asked_where_it_is_loaded(cluster: Cluster, client: openai.OpenAI) -> None:
    def loads_nothing() -> bool:
        before = loads(cluster)
        for name in ADAPTERS:
            ask(client, name)
        return loads(cluster) == before

    until(loads_nothing)  # where adapters are reaches the ingress a little later
    warm = loads(cluster)
    for _ in range(5):
        for name in ADAPTERS:
            _, replica = ask(client, name)
            assert name in warm[replica]
    assert loads(cluster) == warm
    assert {name for found in warm.values() for name in found} == set(ADAPTERS)
    assert all(count == 1 for found in warm.values() for count in found.values())


def test_replicas_have_the_foundation_once(cluster: Cluster, client: openai.OpenAI) -> None:
    seen: set[str] = set()

    def ask_base() -> bool:
        with ThreadPoolExecutor(4) as pool:
            seen.update(replica for _, replica in pool.map(ask, [client] * 4, ["base"] * 4))
        return len(seen) == REPLICAS

    until(ask_base)
    foundation = cluster.folder / "foundation.ptd"
    size = foundation.stat().st_size
    assert size > 50e6
    replicas = cluster.stats().values()
    mapped = [mapped_bytes(stats.process, foundation) for stats in replicas]
    assert len(mapped) == REPLICAS
    assert all(found.resident > 0.8 * size for found in mapped)  # each has used it
    assert sum(found.proportional for found in mapped) < 1.1 * size
    for stats in replicas:
        own = stats.memory.anonymous_bytes - stats.memory_at_start.anonymous_bytes
        assert own < size / 2


def test_a_replica_forgets_the_adapter_that_was_used_least_recently(
    cluster: Cluster, expected: dict[str, str]
) -> None:
    with cluster.one_replica(adapters_per_replica=1, parallel=2) as replica:

        def pins() -> int:
            return int(replica.stats.remote().result().pins)

        def answer(name: str, **fields: Any) -> Any:
            body = {**FIELDS, "ignore_eos": True, **fields, "model": name}
            asked = parse(CompletionRequest, body)
            return replica.options(stream=True, multiplexed_model_id=name).answer.remote(asked)

        base_alone = pins()
        long = answer("lora0", max_tokens=8000)
        assert isinstance([next(long) for _ in range(3)][-1], Text)
        one_adapter = pins()
        assert one_adapter > base_alone
        _, *texts, _ = answer("lora1")
        assert "".join(text.text for text in texts) == expected["lora1"]
        assert pins() > one_adapter  # of the forgotten one, which still answers
        assert isinstance(next(long), Text)
        long.cancel()
        until(lambda: pins() == one_adapter)
        _, *texts, _ = answer("lora0")
        assert "".join(text.text for text in texts) == expected["lora0"]
        until(lambda: pins() == one_adapter)
        with pytest.raises(RayTaskError) as unknown:
            list(answer("lora9"))
        assert unknown.value.cause.status == 404
        assert pins() == one_adapter  # nothing was forgotten for it
        assert replica.stats.remote().result().loads == {"lora0": 2, "lora1": 1}


def test_what_cannot_be_loaded_fails_at_the_start(cluster: Cluster) -> None:
    adapters = {"bad": {"program": str(cluster.folder / "foundation.ptd")}}
    with pytest.raises(RuntimeError, match="adapter 'bad'"), cluster.one_replica(adapters=adapters):
        pass


# ---- Load


async def close_all(asked: list[asyncio.Task[Any]]) -> None:
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


def test_who_goes_cancels_what_runs_and_what_waits(cluster: Cluster) -> None:
    async def go() -> None:
        async with cluster.async_client() as client:
            whole = {**FOREVER, "stream": False}
            asked = [
                asyncio.create_task(client.completions.create(model="base", **options))
                for options in (FOREVER, whole, FOREVER, whole)
            ]
            await asyncio.to_thread(until, lambda: cluster.busy() == 4)
            await close_all(asked)

    asyncio.run(go())
    until(lambda: cluster.busy() == 0)


def test_a_stream_that_is_closed_ends_its_answer(cluster: Cluster, client: openai.OpenAI) -> None:
    stream = client.completions.create(model="lora2", **FOREVER)
    next(stream)
    assert cluster.busy() == 1
    stream.close()
    until(lambda: cluster.busy() == 0)


def test_beyond_the_queue_there_is_429(cluster: Cluster) -> None:
    capacity = REPLICAS * ONGOING + QUEUED
    whole = {**FOREVER, "stream": False}

    async def go() -> list[BaseException | None]:
        async with cluster.async_client() as client:
            asked = [
                asyncio.create_task(client.completions.create(model="base", **whole))
                for _ in range(3 * capacity)
            ]
            await asyncio.to_thread(until, lambda: sum(task.done() for task in asked) >= capacity)
            refused = [task.exception() for task in asked if task.done()]
            await close_all(asked)
            return refused

    refused = asyncio.run(go())
    assert len(refused) <= 3 * capacity - QUEUED
    for error in refused:
        assert isinstance(error, openai.RateLimitError)
        assert error.code == "rate_limit_exceeded"
        assert error.response.headers["retry-after"] == "1"
    until(lambda: cluster.busy() == 0)


# ---- A replica that dies


def test_a_killed_replica_loses_only_what_was_being_written(
    cluster: Cluster, client: openai.OpenAI, expected: dict[str, str]
) -> None:
    until(cluster.is_whole)
    raw = client.completions.with_raw_response.create(model="lora0", **FOREVER)
    stream, replica = raw.parse(), raw.headers[REPLICA_HEADER]
    next(stream)
    with ThreadPoolExecutor(4) as pool:
        # Behind the one that is written, whole answers and streams of which there is nothing yet.
        whole = [pool.submit(ask, client, name) for name in ("lora0", "lora1")]
        streams = [pool.submit(ask_as_stream, client, name) for name in ("lora0", "base")]
        until(lambda: cluster.stats()[replica].waiting > 0)
        os.kill(cluster.stats()[replica].process, signal.SIGKILL)
        with pytest.raises(openai.APIError, match="has died") as raised:
            list(stream)
        assert raised.value.code == "replica_lost"
        for name, answered in zip(("lora0", "lora1"), whole):
            text, other = answered.result(timeout=60)
            assert text == expected[name]
            assert other != replica
        assert [answered.result(timeout=60) for answered in streams] == [
            expected["lora0"],
            expected["base"],
        ]
    until(lambda: cluster.is_whole() and replica not in cluster.stats())
    for name in MODELS:
        assert ask(client, name)[0] == expected[name]
