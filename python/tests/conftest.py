from __future__ import annotations

from collections.abc import Iterator

import pytest

from onepack import Backend, WeightCache


@pytest.fixture
def cache() -> Iterator[WeightCache]:
    with WeightCache() as cache:
        yield cache


@pytest.fixture
def backend(cache: WeightCache) -> Iterator[Backend]:
    with Backend(cache) as backend:
        yield backend
