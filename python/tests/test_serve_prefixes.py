"""What the server keeps of prompts, for those that begin alike."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from serving import Events, an_engine, answer, make_model, make_tokenizer, until

from onepack import (
    AdapterPool,
    Backend,
    Error,
    LanguageModel,
    NamedData,
    OutOfMemoryError,
    Program,
    Sampling,
    StatusCode,
    context_bytes,
)
from onepack.serve import ContextLimits, Engine
from onepack.serve.answer import AnswerRequest, Outcome
from onepack.serve.metrics import Metrics
from onepack.serve.prefixes import ContextBudget, PrefixStore

MEGA = 1 << 20
CHUNK = 63  # of the model that the tests serve
OFF = ContextLimits(bytes=0)
DATA = Path(__file__).resolve().parents[2] / "tests" / "data" / "language_models"


def some_tokens(count: int, seed: int) -> tuple[int, ...]:
    choice = random.Random(seed)
    return tuple(choice.randrange(6, 2000) for _ in range(count))


def asked(prompt: Sequence[int], new: int = 12) -> AnswerRequest:
    return AnswerRequest(tuple(prompt), new, Sampling(1.0, seed=3), ignore_eos=True)


@pytest.fixture
def alone(model_folder: Path) -> Iterator[Engine]:
    """Which keeps nothing: each prompt is read by itself."""
    with an_engine(model_folder, "lora0", "lora1", contexts=OFF) as engine:
        yield engine


# ---- Answers


@pytest.mark.parametrize("chunk", [0, 8])
def test_conversations_answer_as_if_each_were_alone(model_folder: Path, chunk: int) -> None:
    """Over one beginning that is longer than a chunk, one that is shorter, and their own."""
    limits = ContextLimits(chunk=chunk)
    begins = [some_tokens(3 * CHUNK + 20, 1), some_tokens(5, 2)]
    turns = [some_tokens(count, count) for count in (1, 7, 40, CHUNK, 90, 2)]
    by_itself = ContextLimits(bytes=0, chunk=chunk)
    with (
        an_engine(model_folder, "lora0", contexts=limits) as engine,
        an_engine(model_folder, "lora0", contexts=by_itself) as other,
    ):
        said = {(begin, own): begins[begin] for begin in (0, 1) for own in range(4)}
        reused = 0
        for turn in range(3):
            for (begin, own), prompt in said.items():
                prompt += turns[(own + turn) % len(turns)] + (own + 100,)
                for name in ("base", "lora0"):
                    events = answer(engine, name, asked(prompt))
                    expected = answer(other, name, asked(prompt))
                    assert events.text == expected.text != ""
                    assert events.end.reused_tokens % (chunk or CHUNK) == 0
                    assert expected.end.reused_tokens == 0
                    reused += events.end.reused_tokens
                said[begin, own] = prompt + some_tokens(12, turn)
        assert reused > 4 * 2 * 3 * CHUNK
        assert other.models.contexts.kept().count == 0


def test_a_conversation_goes_on_where_its_last_prompt_ended(engine: Engine) -> None:
    prompt = some_tokens(3 * CHUNK, 1)
    reused = []
    for turn in range(4):
        reused.append(answer(engine, "base", asked(prompt)).end.reused_tokens)
        prompt += some_tokens(CHUNK, turn)
    # One token at least is left to read.
    assert reused == [0, 2 * CHUNK, 3 * CHUNK, 4 * CHUNK]
    assert engine.models.contexts.kept().count == 1  # the last one is good for all


def test_another_conversation_goes_on_where_it_differs(engine: Engine) -> None:
    begin = some_tokens(2 * CHUNK + 10, 1)
    first = answer(engine, "base", asked(begin + some_tokens(3 * CHUNK, 2)))
    second = answer(engine, "base", asked(begin + some_tokens(3 * CHUNK, 3)))
    again = answer(engine, "base", asked(begin + some_tokens(3 * CHUNK, 2)))
    reused = [events.end.reused_tokens for events in (first, second, again)]
    assert reused == [0, 2 * CHUNK, 5 * CHUNK]
    assert again.text == first.text


def test_adapters_share_no_context(engine: Engine, alone: Engine) -> None:
    prompt = some_tokens(2 * CHUNK, 1)
    for name in ("base", "lora0", "lora1"):
        events = answer(engine, name, asked(prompt))
        assert events.end.reused_tokens == 0
        assert events.text == answer(alone, name, asked(prompt)).text
    assert engine.models.contexts.kept().count == 3


def test_what_is_shorter_than_a_chunk_is_not_kept(engine: Engine) -> None:
    for count in (1, CHUNK - 1, CHUNK):
        answer(engine, "base", asked(some_tokens(count, 1)))
        assert engine.models.contexts.kept().count == 0
    answer(engine, "base", asked(some_tokens(CHUNK + 1, 1)))
    assert engine.models.contexts.kept().count == 1


# ---- The end of answers and of adapters


def test_a_prompt_that_is_cancelled_while_it_is_read_leaves_nothing(engine: Engine) -> None:
    events = Events()
    prompt = some_tokens(60000, 1)
    running = engine.start(engine.models.base, asked(prompt), events.put)
    until(lambda: engine.scheduler.running == 1)
    engine.cancel(running)
    assert (events.end.outcome, events.end.completion_tokens) == (Outcome.CANCELLED, 0)
    assert engine.models.contexts.kept().count == 0
    assert answer(engine, "base", asked(prompt[:70])).end.outcome == Outcome.LENGTH


def test_a_prompt_that_is_cancelled_at_its_cut_leaves_what_was_read(
    engine: Engine, alone: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = some_tokens(2 * CHUNK + 5, 1)
    keep = PrefixStore.keep

    def keep_and_cancel(store: PrefixStore, model: LanguageModel) -> None:
        keep(store, model)
        (running,) = engine._alive
        engine.cancel(running)

    with monkeypatch.context() as patch:
        patch.setattr(PrefixStore, "keep", keep_and_cancel)
        cancelled = answer(engine, "base", asked(prompt))
    assert cancelled.end.outcome == Outcome.CANCELLED
    events = answer(engine, "base", asked(prompt))
    assert events.end.reused_tokens == 2 * CHUNK
    assert events.text == answer(alone, "base", asked(prompt)).text


def test_an_adapter_is_dropped_while_a_fork_of_it_answers(engine: Engine, alone: Engine) -> None:
    pins = engine.models.cache.stats().pins
    prompt = some_tokens(2 * CHUNK + 5, 1)
    answer(engine, "lora0", asked(prompt))
    assert engine.models.contexts.kept().count == 1
    events = Events()
    engine.start(engine.models.find("lora0"), asked(prompt, 2000), events.put)
    assert events.has_text.wait(60)
    engine.models.drop("lora0")
    assert engine.models.cache.stats().pins == pins
    assert (events.end.outcome, events.end.reused_tokens) == (Outcome.LENGTH, 2 * CHUNK)
    assert events.text == answer(alone, "lora0", asked(prompt, 2000)).text
    until(lambda: engine.models.cache.stats().pins < pins)
    assert engine.models.contexts.kept().count == 0
    assert engine.models.contexts.kept().given_back == 0  # it went with its model


def test_where_no_context_can_be_kept_the_answer_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prompt = some_tokens(2 * CHUNK + 5, 1)
    expected = answer(engine, "base", asked(prompt)).text
    engine.models.contexts.give_back_all()
    fork = LanguageModel.fork

    def fork_of_nothing(model: LanguageModel) -> LanguageModel:
        if model.context:
            raise OutOfMemoryError("no more mappings")
        return fork(model)

    monkeypatch.setattr(LanguageModel, "fork", fork_of_nothing)
    assert answer(engine, "base", asked(prompt)).text == expected
    assert "is not kept" in caplog.text
    assert engine.models.contexts.kept().count == 0


def test_for_an_answer_that_finds_no_memory_what_is_kept_is_given_back(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = some_tokens(2 * CHUNK + 5, 1)
    expected = answer(engine, "base", asked(prompt)).text
    fork = LanguageModel.fork

    def scarce(model: LanguageModel) -> LanguageModel:
        if engine.models.contexts._given_back == 0:
            raise OutOfMemoryError("no more mappings")
        return fork(model)

    monkeypatch.setattr(LanguageModel, "fork", scarce)
    events = answer(engine, "base", asked(prompt))
    assert (events.text, events.end.reused_tokens) == (expected, 0)


# ---- Memory


def own_bytes() -> int:
    """Memory that goes with the process: anonymous pages, and files in memory."""
    anonymous = 0
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith(("Anonymous:", "Swap:")):
            anonymous += int(line.split()[1]) * 1024
    return anonymous + sum(
        os.stat(f"/proc/self/fd/{number}").st_blocks * 512 for number in files_in_memory()
    )


def files_in_memory() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # that of the listing
            continue
        if name.startswith("/memfd:onepack-state"):
            found.append(number)
    return found


@pytest.fixture(scope="module")
def long_context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose cache takes 16 KB a token, and all else next to nothing."""
    folder = tmp_path_factory.mktemp("long_context")
    sizes = {"layers": 2, "heads": 8, "kv-heads": 8, "head-dim": 128, "context": 2048, "chunk": 128}
    make_model(folder, sizes=sizes)
    make_tokenizer(folder)
    return folder


TOKEN = 2 * 2 * 8 * 128 * 4
"""Bytes of it in that cache."""


def test_eight_conversations_have_their_prompt_once(long_context: Path) -> None:
    begin = some_tokens(1500, 1)
    gc.collect()
    files = len(files_in_memory())
    with an_engine(long_context, contexts=ContextLimits(count=9)) as engine:
        contexts = engine.models.contexts
        answer(engine, "base", asked(begin))
        gc.collect()
        before, first = own_bytes(), contexts.kept()
        assert 1408 * TOKEN <= first.bytes < 1408 * TOKEN + 4 * MEGA
        for own in range(8):
            prompt = begin + some_tokens(150, own)
            assert answer(engine, "base", asked(prompt)).end.reused_tokens == 1408
        kept = contexts.kept()
        assert kept.count == 8
        # 128 tokens each, in whole pages, and what is left of the last chunk's activations.
        activations = first.bytes - 1408 * TOKEN
        assert kept.bytes < first.bytes + 8 * (128 * TOKEN + activations + MEGA)
        assert kept.bytes < 8 * 1536 * TOKEN / 2
        assert own_bytes() < before + (kept.bytes - first.bytes) + 4 * MEGA
        contexts.give_back_all()
        assert contexts.kept().bytes == 0
        assert len(files_in_memory()) == files
        assert own_bytes() < before - first.bytes + 4 * MEGA


def test_what_is_over_the_limit_goes_back_to_the_system(long_context: Path) -> None:
    limit = 50 * MEGA
    prompts = {
        name: some_tokens(1300, seed) for seed, name in enumerate(("base", "lora0", "lora1"))
    }
    with an_engine(long_context, *list(prompts)[1:], contexts=ContextLimits(limit)) as engine:
        contexts = engine.models.contexts
        before = own_bytes()
        first = {}
        for name, prompt in prompts.items():
            first[name] = answer(engine, name, asked(prompt)).text
            assert contexts.kept().bytes <= limit
        assert (contexts.kept().count, contexts.kept().given_back) == (2, 1)
        assert own_bytes() < before + limit + 8 * MEGA
        # That of the base was the oldest: it is read again, and takes the place of lora0's.
        reused: dict[str, list[int]] = {}
        for name in ("lora1", "base", "lora1", "lora0"):
            events = answer(engine, name, asked(prompts[name]))
            assert events.text == first[name]
            reused.setdefault(name, []).append(events.end.reused_tokens)
        assert reused == {"lora1": [1280, 1280], "base": [0], "lora0": [0]}
        assert contexts.kept().given_back == 3
        assert own_bytes() < before + limit + 8 * MEGA


def test_nothing_that_alone_is_over_the_limit_is_kept(long_context: Path) -> None:
    with an_engine(long_context, contexts=ContextLimits(MEGA)) as engine:
        gc.collect()
        before, files = own_bytes(), len(files_in_memory())
        answer(engine, "base", asked(some_tokens(1000, 1)))
        assert engine.models.contexts.kept().count == 0
        assert len(files_in_memory()) == files
        assert own_bytes() < before + 8 * MEGA


def test_no_more_contexts_are_kept_than_may(model_folder: Path) -> None:
    with an_engine(model_folder, contexts=ContextLimits(count=2)) as engine:
        for seed in (1, 2, 1, 3):
            answer(engine, "base", asked(some_tokens(CHUNK + 1, seed)))
        assert (engine.models.contexts.kept().count, engine.models.contexts.kept().given_back) == (
            2,
            1,
        )
        reused = [
            answer(engine, "base", asked(some_tokens(CHUNK + 1, seed))).end.reused_tokens
            for seed in (1, 3, 2)
        ]
    assert reused == [CHUNK, CHUNK, 0]  # the first was used again before the third came


def test_an_idle_model_has_no_context(long_context: Path) -> None:
    with an_engine(long_context, contexts=OFF) as engine:
        before = own_bytes()
        answer(engine, "base", asked(some_tokens(1500, 1)))
        assert own_bytes() < before + 8 * MEGA
        assert context_bytes([engine.models.base.language_model]) < MEGA


def test_an_idle_adapter_of_a_pool_has_no_context(long_context: Path, backend: Backend) -> None:
    foundation = NamedData(long_context / "foundation.ptd")
    with AdapterPool(backend=backend, foundation=foundation) as pool:
        pool.add("base", Program(long_context / "base.pte"))
        before = own_bytes()
        during = []

        def measure(_: int) -> None:
            during.append(own_bytes())

        pool.generate("base", some_tokens(1500, 1), max_new_tokens=1).result(measure)
        assert during[0] > before + 1500 * TOKEN
        assert own_bytes() < before + 8 * MEGA


# ---- The store, over every kind of state


def read(store: PrefixStore, prompt: Sequence[int]) -> tuple[int, np.ndarray]:
    """How many tokens were there already, and the logits after the last."""
    with store.begin(prompt) as model:
        begun = done = len(model.context)
        for cut in store.cuts(prompt, begun):
            model.append(prompt[done:cut], store.chunk)
            store.keep(model)
            done = cut
        return begun, model.append(prompt[done:], store.chunk)


STATES = ["update_cache", "index_copy", "index_put", "sdpa_with_kv_cache", "ring", "recurrent"]


@pytest.mark.parametrize("state", STATES)
def test_logits_are_bit_identical(state: str, backend: Backend) -> None:
    """Of models that can go back to a shorter context, and of those that cannot."""
    program = Program(DATA / f"state_{state}.pte")
    root, other = (LanguageModel(program, backend=backend) for _ in range(2))
    can_rewind = state not in ("ring", "recurrent")
    store = PrefixStore(root, ContextBudget(ContextLimits(chunk=2)))
    choice = random.Random(1)
    begin = [choice.randrange(1, 20) for _ in range(5)]
    begun = []
    for own in range(6):
        prompt = begin + [own + 1, 3, 5, own + 2]
        count, logits = read(store, prompt)
        other.reset()
        assert np.array_equal(logits, other.append(prompt, store.chunk))
        begun.append(count)
    # One that cannot go back reads it once more, and leaves a context of what it had in common.
    chunk = store.chunk
    common = 5 // chunk * chunk
    assert begun == ([0] + [common] * 5 if can_rewind else [0, 0] + [common] * 4)
    if not can_rewind:
        with pytest.raises(Error) as raised:
            other.rewind(1)
        assert raised.value.code == StatusCode.UNSUPPORTED


def test_the_budget_holds_no_model(backend: Backend) -> None:
    budget = ContextBudget(ContextLimits(chunk=2))
    root = LanguageModel(Program(DATA / "state_update_cache.pte"), backend=backend)
    store = PrefixStore(root, budget)
    read(store, [1, 2, 3, 4])
    assert budget.kept().count == 1
    del store
    assert budget.kept().count == 0


# ---- What is told of it


def test_metrics_tell_what_is_kept_and_was_reused(model_folder: Path) -> None:
    with an_engine(model_folder, contexts=ContextLimits(count=1)) as engine:
        metrics = Metrics(engine)
        engine.on_end = metrics.observe
        for seed in (1, 1, 2):
            answer(engine, "base", asked(some_tokens(CHUNK + 10, seed)))
        kept = engine.models.contexts.kept()
        found = metrics.render().decode()
    assert f'onepack_prompt_tokens_total{{model="base"}} {3.0 * (CHUNK + 10)}' in found
    assert f'onepack_prompt_tokens_reused_total{{model="base"}} {CHUNK}.0' in found
    assert "onepack_contexts 1.0" in found
    assert "onepack_contexts_given_back_total 1.0" in found
    assert f"onepack_context_bytes {float(kept.bytes)}" in found or kept.bytes >= MEGA
    assert "onepack_context_limit_bytes" in found
