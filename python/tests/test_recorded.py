"""Every recorded program, through Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import CASES, CONFORMANCE, read_case

from onepack import Backend, LinearLayout, Method, WeightCache

FAMILIES = sorted(CASES.glob("*/*.json"))
CONFORMING = sorted(CONFORMANCE.glob("*.json"))


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("linears", [LinearLayout.PACKED, LinearLayout.IN_PLACE])
def test_a_family_gives_what_was_recorded(path: Path, linears: LinearLayout) -> None:
    case = read_case(path)
    with case.load(Backend(linears=linears)) as method:
        case.check(method)


def test_conforming_programs_give_what_was_recorded_alive_together(backend: Backend) -> None:
    assert len(CONFORMING) > 100
    loaded: list[Method] = []
    for path in CONFORMING:
        case = read_case(path)
        method = case.load(backend)
        case.check(method)
        loaded.append(method)
    for method in loaded:
        method.close()


def test_programs_of_one_foundation_share_it(cache: WeightCache) -> None:
    backend = Backend(cache, linears=LinearLayout.PACKED)
    base = read_case(CASES / "lora_fp32/base.json").load(backend)
    packed = cache.stats().packed_bytes
    lora = read_case(CASES / "lora_fp32/lora0.json").load(backend)
    stats = cache.stats()
    assert packed > 0
    assert stats.hit_bytes == packed  # all of the foundation
    assert stats.packed_bytes < 2 * packed
    for method in (base, lora):
        method.close()
    assert cache.stats().bytes == 0
