"""A replica: the foundation and the base from its start, adapters as they are asked for."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from anyio import to_thread
from ray import serve

from onepack.serve.answer import Event
from onepack.serve.answer_source import Asked
from onepack.serve.engine_source import EngineSource
from onepack.serve.models import ServedModel
from onepack.serve.process_memory import ProcessMemory
from onepack.serve.protocol import errors
from ray_serve.options import Options


@dataclass(frozen=True)
class ReplicaStats:
    name: str
    process: int
    loads: dict[str, int]
    """Of each adapter, since the replica started."""
    running: int
    waiting: int
    pins: int
    """Uses of weights, by the base and by the adapters that are there."""
    memory_at_start: ProcessMemory
    """Before anything of the models was opened."""
    memory: ProcessMemory


class Models:
    """A deployment. Ray sends a request to a replica that has its adapter, and bounds how many requests a
    replica has (``max_ongoing_requests``) and how many wait for one (``max_queued_requests``)."""

    def __init__(self, options: Options) -> None:
        self._memory_at_start = ProcessMemory.now()
        self._name: str = serve.get_replica_context().replica_id.unique_id
        self._engine = options.open_engine()
        self._source = EngineSource(self._engine)
        self._files = options.adapters
        self._loads: Counter[str] = Counter()

        async def load(name: str) -> ServedModel:
            return await self._load(name)

        limit = options.adapters_per_replica
        self._adapter = serve.multiplexed(max_num_models_per_replica=limit)(load)

    async def answer(self, asked: Asked) -> AsyncIterator[str | Event]:
        """The replica's name, and the events of an answer that ends well.

        Raises:
            ApiError: As EngineSource raises it; 404 for an adapter that is none of this replica's.
        """
        yield self._name
        model = await self._model(serve.get_multiplexed_model_id())
        answer = await self._source.begin(model, asked)
        try:
            async for event in answer.events():
                yield event
        finally:
            answer.cancel()  # where the client has gone, Ray cancels this

    def stats(self) -> ReplicaStats:
        scheduler = self._engine.scheduler
        return ReplicaStats(
            self._name,
            os.getpid(),
            dict(self._loads),
            scheduler.running,
            scheduler.waiting,
            self._engine.models.cache.stats().pins,
            self._memory_at_start,
            ProcessMemory.now(),
        )

    def __del__(self) -> None:
        """Ray calls it before a replica's process ends."""
        if hasattr(self, "_engine"):  # or it could not be opened
            self._engine.close()

    async def _model(self, adapter: str) -> ServedModel:
        if not adapter:
            return self._engine.models.base
        if adapter not in self._files:  # before Ray makes room for it
            raise errors.no_such_model(adapter)
        # Who goes does not end the load: Ray would go on to say that this replica has the adapter.
        return await asyncio.shield(self._adapter(adapter))

    async def _load(self, name: str) -> ServedModel:
        """Ray keeps it, and forgets the one that was used least recently: requests that have it are
        answered to the end, and what it costs goes back with the last one."""
        files = self._files[name]
        self._loads[name] += 1
        load = self._engine.models.load
        return await to_thread.run_sync(load, name, files.program, files.data)
