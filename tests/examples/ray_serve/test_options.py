"""What a replica opens of its options. There is no cluster."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ray_serve.options import Options
from serving import Events, make_model

from onepack import Error, Sampling
from onepack.serve.answer import AnswerRequest


def options(folder: Path, **adapters: Path) -> Options:
    """With adapters in files of these names without their endings."""
    files: Any = {
        name: {"program": f"{stem}.pte", "data": [f"{stem}.ptd"]} for name, stem in adapters.items()
    }
    data = (folder / "foundation.ptd",)
    return Options(program=folder / "base.pte", data=data, tokenizer=folder, adapters=files)


def test_adapters_are_dropped_after_the_check(folder: Path) -> None:
    pins = []
    for adapters in ({}, {"lora0": folder / "lora0", "lora1": folder / "lora1"}):
        with contextlib.closing(options(folder, **adapters).open_engine()) as engine:
            assert [model.name for model in engine.models.all()] == ["base"]
            pins.append(engine.models.cache.stats().pins)
    assert pins[0] == pins[1]


@pytest.mark.parametrize("kind", ["missing", "broken", "of another foundation"])
def test_an_adapter_that_cannot_be_loaded_is_named(kind: str, folder: Path, tmp_path: Path) -> None:
    if kind == "broken":
        (tmp_path / "lora0.pte").write_bytes(b"no program")
    elif kind == "of another foundation":
        make_model(tmp_path, seed=1, adapters=1)
    with pytest.raises(Error, match="adapter 'bad'"):
        options(folder, lora0=folder / "lora0", bad=tmp_path / "lora0").open_engine()


def test_a_replica_takes_all_that_ray_gives_it(folder: Path) -> None:
    events = [Events() for _ in range(200)]
    with contextlib.closing(options(folder).open_engine()) as engine:
        request = AnswerRequest((1, 17), 8000, Sampling(), (), True)
        for one in events:
            engine.start(engine.models.base, request, one.put)
        assert engine.scheduler.running == 1
        assert engine.scheduler.waiting == len(events) - 1
    assert all(one.end for one in events)
