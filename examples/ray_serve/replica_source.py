"""Answers of replicas, of which Ray chooses one for each request."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ray.exceptions import RayActorError, RayError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from onepack import NotFoundError
from onepack.serve.answer import Event
from onepack.serve.answer_source import Asked
from onepack.serve.protocol import errors

REPLICA_HEADER = "X-Onepack-Replica"
"""In responses: the name of the replica that has answered."""

_TRIES = 3
"""Replicas that are asked until one has begun with the answer."""
_BEGINNINGS = 2
"""Replicas that may begin with it: if both are lost, it may be this request that ends them."""

_log = logging.getLogger("onepack.serve")


@dataclass(frozen=True)
class RemoteModel:
    name: str
    created: int
    adapter: str
    """What Ray multiplexes by; empty: any replica will do, all have the base."""


class ReplicaSource:
    """An AnswerSource.

    A replica that is lost takes with it what it was answering. Until something of an answer was written
    nobody has seen it, and another replica may be asked: so this waits for the first text of a stream,
    and for all of an answer that is sent whole.
    """

    def __init__(self, models: DeploymentHandle[Any], base: str, adapters: Iterable[str]) -> None:
        self._replicas = models.options(stream=True)
        now = int(time.time())
        self._models = {base: RemoteModel(base, now, "")}
        self._models |= {name: RemoteModel(name, now, name) for name in sorted(adapters)}

    def all(self) -> Sequence[RemoteModel]:
        return list(self._models.values())

    def find(self, name: str) -> RemoteModel:
        if name not in self._models:
            raise NotFoundError(f"no model {name!r}")
        return self._models[name]

    async def begin(self, model: RemoteModel, asked: Asked) -> ReplicaAnswer:
        replicas = self._replicas.options(multiplexed_model_id=model.adapter)
        beginnings = 0
        for _ in range(_TRIES):
            items: Any = replicas.answer.remote(asked)  # a DeploymentResponseGenerator
            replica = ""
            try:
                with _cancelled_if_it_fails(items), _as_api_errors():
                    replica = await anext(items)
                    read = [await anext(items)]
                    if not asked.stream:
                        read += [event async for event in items]
                    return ReplicaAnswer(replica, read, items)
            except RayActorError as error:
                lost = error
            beginnings += bool(replica)
            if beginnings == _BEGINNINGS:
                break
        raise _replica_lost() from lost


class ReplicaAnswer:
    """A BegunAnswer: what was read of it, and where the rest comes from."""

    def __init__(self, replica: str, read: Sequence[Event], rest: Any) -> None:
        self.headers = {REPLICA_HEADER: replica}
        self._read = read
        self._rest = rest

    async def events(self) -> AsyncIterator[Event]:
        for event in self._read:
            yield event
        try:
            with _as_api_errors():
                async for event in self._rest:
                    yield event
        except RayActorError as error:
            raise _replica_lost() from error

    def cancel(self) -> None:
        self._rest.cancel()


@contextlib.contextmanager
def _cancelled_if_it_fails(items: Any) -> Iterator[None]:
    """Also where its replica is lost: that may only be out of reach, and would answer to nobody."""
    try:
        yield
    except BaseException:
        # To cancel may raise what it has failed with.
        with contextlib.suppress(RayError, RayServeException):
            items.cancel()
        raise


@contextlib.contextmanager
def _as_api_errors() -> Iterator[None]:
    """Of what Ray raises, all but RayActorError: the replica is lost."""
    try:
        yield
    except BackPressureError as error:
        raise errors.queue_full("As many requests wait for a replica as may.") from error
    except TaskCancelledError as error:
        raise errors.client_gone() from error  # or nobody would have cancelled it
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, errors.ApiError):
            raise cause from None
        raise errors.of_failed_answer(cause) from error
    except RayActorError:
        raise
    except (RayError, RayServeException) as error:
        _log.exception("no replica can be asked, or its answer was lost on the way")
        raise _out_of_reach() from error


def _replica_lost() -> errors.ApiError:
    message = "The process that was answering has died, or cannot be reached."
    return errors.ApiError(503, message, kind="server_error", code="replica_lost")


def _out_of_reach() -> errors.ApiError:
    message = "The processes that answer cannot be reached."
    return errors.ApiError(503, message, kind="server_error", code="replicas_out_of_reach")
