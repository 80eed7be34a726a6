from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server, an_engine, make_model, make_tokenizer, serving

from onepack import Backend, WeightCache
from onepack.serve import AppOptions, Engine


@pytest.fixture
def cache() -> Iterator[WeightCache]:
    with WeightCache() as cache:
        yield cache


@pytest.fixture
def backend(cache: WeightCache) -> Iterator[Backend]:
    with Backend(cache) as backend:
        yield backend


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """base, lora0 and lora1, which have room for long answers, and a tokenizer."""
    folder = tmp_path_factory.mktemp("served")
    make_model(folder)
    make_tokenizer(folder)
    return folder


@pytest.fixture
def engine(model_folder: Path) -> Iterator[Engine]:
    with an_engine(model_folder, "lora0", "lora1", queue_limit=2) as engine:
        yield engine


@pytest.fixture
def server(engine: Engine, model_folder: Path) -> Iterator[Server]:
    with serving(engine, AppOptions(adapters_dir=model_folder)) as server:
        yield server
