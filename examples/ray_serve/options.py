"""What the application is started with: ``args`` in config.yaml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from onepack import Error, LinearLayout
from onepack.serve import ContextLimits, Engine, EngineFiles, open_engine
from onepack.serve.files import api_key_in
from onepack.serve.models import Models

Count = Annotated[int, Field(ge=1)]


class _Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter(_Fields):
    program: Path
    data: tuple[Path, ...] = ()


class Options(_Fields):
    """Paths are the same on every machine that has a replica."""

    program: Path
    """The base's."""
    data: tuple[Path, ...]
    """The foundation."""
    tokenizer: Path
    adapters: dict[str, Adapter] = {}
    name: str = ""
    """Of the base as a model; empty: its file's."""
    linears: Literal["AUTO", "IN_PLACE", "PACKED"] = "IN_PLACE"
    """IN_PLACE shares the pages of the foundation's file among all processes of a machine. What is packed
    they share only through ``packed_file``."""
    packed_file: Path | None = None
    adapters_per_replica: Count = 8
    """Loaded at a time, besides the base. Beyond them the one that was used least recently goes."""
    context_bytes: Annotated[int, Field(ge=0)] | None = None
    """Memory of each replica for contexts that have read what several prompts begin with. None: as in one
    process, of the machine that the replica is on."""
    parallel: Count = 1
    """Models of a replica that run at a time; as many as ``num_cpus`` of its ray_actor_options."""
    allowed_hosts: tuple[str, ...] = ()
    api_key_file: Path | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Options:
        if self.base_name in self.adapters:
            raise ValueError(f"adapters: {self.base_name!r} is the base's name")
        return self

    @property
    def base_name(self) -> str:
        return self.name or self.program.stem

    def open_engine(self) -> Engine:
        """With the base alone: adapters come when they are asked for.

        Raises:
            Error: As open_engine of onepack.serve raises it, also for an adapter that cannot be loaded.
        """
        files = EngineFiles(
            self.program,
            self.data,
            self.tokenizer,
            name=self.base_name,
            packed_file=self.packed_file,
        )
        engine = open_engine(
            files,
            parallel=self.parallel,
            queue_limit=sys.maxsize,  # Ray bounds what a replica has: max_ongoing_requests
            linears=LinearLayout[self.linears],
            contexts=None if self.context_bytes is None else ContextLimits(self.context_bytes),
        )
        try:
            self._check_adapters(engine.models)
        except Error:
            engine.close()
            raise
        return engine

    def _check_adapters(self, models: Models) -> None:
        """Loads each, and drops it again. One that cannot be loaded is an error at the start; each request
        to it would push out a good one, because Ray makes room before it loads."""
        for name, adapter in self.adapters.items():
            try:
                models.load(name, adapter.program, adapter.data)
            except Error as error:
                error.args = (f"adapter {name!r}: {error}",)
                raise

    def api_key(self) -> str | None:
        if self.api_key_file is None:
            return None
        return api_key_in(self.api_key_file.read_text(encoding="utf-8"), self.api_key_file)
