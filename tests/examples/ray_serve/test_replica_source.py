"""What is asked of replicas, and what clients are told, by what Ray raises. There is no cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    RayActorError,
    RayTaskError,
    TaskCancelledError,
)
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    ReplicaUnavailableError,
)
from ray_serve.replica_source import REPLICA_HEADER, ReplicaSource

from onepack import OutOfMemoryError
from onepack.serve.answer import End, Event, Outcome, Text
from onepack.serve.protocol.errors import ApiError, no_such_model
from onepack.serve.protocol.requests import CompletionRequest, parse

Script = Sequence[str | Event | Exception]
"""What a replica gives."""

END = End(Outcome.STOP, "base", 1, 2)
GOOD: Script = ["a", Text("x"), Text("y"), END]
DIED: Script = [ActorDiedError()]
DIED_WITH_IT: Script = ["b", ActorDiedError()]
OUT_OF_REACH: Script = ["b", ActorUnavailableError("no connection", None)]


class Items:
    """A DeploymentResponseGenerator. Cancelling one that has failed may raise what it failed with."""

    def __init__(self, script: Script) -> None:
        self._script = iter(script)
        self._failed: Exception | None = None
        self.is_cancelled = False

    def __aiter__(self) -> Items:
        return self

    async def __anext__(self) -> str | Event:
        item = next(self._script, None)
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, Exception):
            self._failed = item
            raise item
        return item

    def cancel(self) -> None:
        self.is_cancelled = True
        if self._failed is not None:
            raise self._failed


class Replicas:
    """A DeploymentHandle whose replicas give ``scripts``, one after the other."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = iter(scripts)
        self.asked: list[Items] = []

    def options(self, **_: Any) -> Replicas:
        return self

    @property
    def answer(self) -> Replicas:
        return self

    def remote(self, _: CompletionRequest) -> Items:
        self.asked.append(Items(next(self._scripts)))
        return self.asked[-1]


def ask(replicas: Replicas, *, stream: bool) -> tuple[str, list[Event]]:
    """Which replica has answered, and what."""

    async def go() -> tuple[str, list[Event]]:
        source = ReplicaSource(replicas, "base", [])  # type: ignore[arg-type]
        asked = parse(CompletionRequest, {"model": "base", "prompt": [1], "stream": stream})
        answer = await source.begin(source.find("base"), asked)
        return answer.headers[REPLICA_HEADER], [event async for event in answer.events()]

    return asyncio.run(go())


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize(
    "before",
    [[], [DIED], [DIED, DIED], [DIED_WITH_IT], [OUT_OF_REACH], [DIED, DIED_WITH_IT]],
)
def test_another_replica_is_asked(before: list[Script], stream: bool) -> None:
    replicas = Replicas(*before, GOOD)
    assert ask(replicas, stream=stream) == ("a", [Text("x"), Text("y"), END])
    assert [items.is_cancelled for items in replicas.asked] == [True] * len(before) + [False]


@pytest.mark.parametrize(
    "before",
    [
        [DIED, DIED, DIED],
        [DIED_WITH_IT, DIED_WITH_IT],
        [OUT_OF_REACH, DIED_WITH_IT],
        [DIED_WITH_IT, DIED, OUT_OF_REACH],
    ],
)
def test_a_request_does_not_end_one_replica_after_the_other(
    before: list[Script], stream: bool
) -> None:
    replicas = Replicas(*before, GOOD)
    with pytest.raises(ApiError, match="has died, or cannot be reached") as raised:
        ask(replicas, stream=stream)
    assert raised.value.status == 503
    assert raised.value.body()["error"]["code"] == "replica_lost"
    assert isinstance(raised.value.__cause__, RayActorError)
    assert [items.is_cancelled for items in replicas.asked] == [True] * len(before)


def failed(cause: Exception) -> RayTaskError:
    return RayTaskError("answer", "", cause, ip="")  # type: ignore[no-untyped-call]


OTHER_ERRORS = [
    (BackPressureError(4, 4), 429, "rate_limit_exceeded"),
    (TaskCancelledError(), 499, "client_gone"),
    (failed(no_such_model("x")), 404, "model_not_found"),
    (failed(OutOfMemoryError("no room")), 503, "out_of_memory"),
    (failed(ValueError("wrong")), 500, None),
    (DeploymentUnavailableError(DeploymentID("Models")), 503, "replicas_out_of_reach"),
    (ReplicaUnavailableError("a"), 503, "replicas_out_of_reach"),
    (ObjectLostError("0" * 56, None, ""), 503, "replicas_out_of_reach"),
    (NodeDiedError(""), 503, "replicas_out_of_reach"),  # type: ignore[no-untyped-call]
]


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize(("error", "status", "code"), OTHER_ERRORS)
def test_whatever_ray_raises_is_told(
    error: Exception, status: int, code: str | None, where: int, stream: bool
) -> None:
    replicas = Replicas([*GOOD[:where], error], GOOD)
    with pytest.raises(ApiError) as raised:
        ask(replicas, stream=stream)
    assert raised.value.status == status
    assert raised.value.body()["error"]["code"] == code
    assert len(replicas.asked) == 1


def test_a_stream_that_loses_its_replica_ends_with_an_error() -> None:
    replicas = Replicas([*GOOD[:2], ActorDiedError()], GOOD)
    with pytest.raises(ApiError) as raised:
        ask(replicas, stream=True)
    assert raised.value.body()["error"]["code"] == "replica_lost"
    assert len(replicas.asked) == 1
