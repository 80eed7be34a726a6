"""What the server keeps of prompts, for those that begin alike."""

from __future__ import annotations

import gc
import os
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import Events, an_engine, answer, make_model, make_tokenizer, until

from onepack import (
    AdapterPool,
    Backend,
    Error,
    Generation,
    LanguageModel,
    NamedData,
    OutOfMemoryError,
    Program,
    Sampling,
    StatusCode,
    context_bytes,
)
from onepack.serve import ContextLimits, Engine
from onepack.serve.answer import AnswerRequest, Event, Outcome, Text
from onepack.serve.machine_memory import memory_limit
from onepack.serve.metrics import Metrics
from onepack.serve.prefixes import ContextBudget, KeptContexts, PrefixStore
from onepack.serve.seen import SeenBeginnings

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
        assert reused > 2 * 2 * 3 * CHUNK
        assert other.models.contexts.kept().count == 0


class Calls:
    """What models were asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forks = 0
        self.read = 0
        """Tokens of prompts."""
        fork, generate = LanguageModel.fork, LanguageModel.generate

        def count_fork(model: LanguageModel) -> LanguageModel:
            self.forks += 1
            return fork(model)

        def count_tokens(model: LanguageModel, prompt: Sequence[int], **options: Any) -> Generation:
            self.read += len(prompt)
            return generate(model, prompt, **options)

        monkeypatch.setattr(LanguageModel, "fork", count_fork)
        monkeypatch.setattr(LanguageModel, "generate", count_tokens)

    def since(self) -> tuple[int, int]:
        """Forks and tokens since the call before."""
        counts = self.forks, self.read
        self.forks = self.read = 0
        return counts


def test_the_first_prompt_costs_nothing_the_second_is_kept_the_third_goes_on(
    engine: Engine, alone: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = some_tokens(2 * CHUNK + 10, 1)
    prompts = [begin + some_tokens(CHUNK, own) for own in range(2, 6)]
    expected = [answer(alone, "base", asked(prompt)).text for prompt in prompts]
    calls = Calls(monkeypatch)
    counts, reused, kept = [], [], []
    for prompt, text in zip(prompts, expected, strict=True):
        events = answer(engine, "base", asked(prompt))
        assert events.text == text
        counts.append(calls.since())
        reused.append(events.end.reused_tokens)
        kept.append(engine.models.contexts.kept().count)
    every, rest = len(prompts[0]), len(prompts[0]) - 2 * CHUNK
    assert counts == [(0, every), (1, every), (1, rest), (1, rest)]
    assert reused == [0, 0, 2 * CHUNK, 2 * CHUNK]
    assert kept == [0, 1, 1, 1]


def test_who_shares_nothing_is_not_forked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(monkeypatch)
    for own in range(5):
        answer(engine, "base", asked(some_tokens(3 * CHUNK, own)))
    assert calls.since() == (0, 5 * 3 * CHUNK)
    assert engine.models.contexts.kept().count == 0


def test_a_conversation_goes_on_where_its_prompt_before_the_last_ended(engine: Engine) -> None:
    prompt = some_tokens(3 * CHUNK, 1)
    reused = []
    for turn in range(5):
        reused.append(answer(engine, "base", asked(prompt)).end.reused_tokens)
        prompt += some_tokens(CHUNK, turn)
    assert reused == [0, 0, 3 * CHUNK, 4 * CHUNK, 5 * CHUNK]


def test_one_token_at_least_is_left_to_read(engine: Engine) -> None:
    prompt = some_tokens(3 * CHUNK, 1)
    reused = [answer(engine, "base", asked(prompt)).end.reused_tokens for _ in range(3)]
    assert reused == [0, 0, 2 * CHUNK]


def test_adapters_share_no_context(engine: Engine, alone: Engine) -> None:
    prompt = some_tokens(2 * CHUNK, 1)
    for name in ("base", "lora0", "lora1") * 2:
        events = answer(engine, name, asked(prompt))
        assert events.end.reused_tokens == 0
        assert events.text == answer(alone, name, asked(prompt)).text
    assert engine.models.contexts.kept().count == 3


def test_what_is_shorter_than_a_chunk_is_not_kept(engine: Engine) -> None:
    for count in (1, CHUNK - 1, CHUNK) * 2:
        answer(engine, "base", asked(some_tokens(count, 1)))
        assert engine.models.contexts.kept().count == 0
    answer(engine, "base", asked(some_tokens(CHUNK + 1, 1)))
    assert engine.models.contexts.kept().count == 1


def test_seen_beginnings_are_forgotten_when_there_are_too_many() -> None:
    seen = SeenBeginnings(2, most=3)
    seen.add([1, 2, 3, 4, 5])
    assert [seen.longest(prompt) for prompt in ([1], [1, 2], [1, 2, 3, 4, 9], [2, 1])] == [
        0,
        2,
        4,
        0,
    ]
    seen.add([7, 8, 9, 10])  # the longest of the one before goes first
    assert seen.longest([1, 2, 3, 4]) == 2
    assert seen.longest([7, 8, 9, 10]) == 4


# ---- The end of answers and of adapters


def test_a_prompt_that_is_cancelled_while_it_is_read_leaves_nothing(engine: Engine) -> None:
    events = Events()
    prompt = some_tokens(60000, 1)
    running = engine.start(engine.models.base, asked(prompt), events.put)
    until(lambda: engine.scheduler.running == 1)
    engine.cancel(running)
    assert (events.end.outcome, events.end.completion_tokens) == (Outcome.CANCELLED, 0)
    assert engine.models.contexts.kept().count == 0
    assert context_bytes([engine.models.base.language_model]) < MEGA
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

    answer(engine, "base", asked(prompt))
    with monkeypatch.context() as patch:
        patch.setattr(PrefixStore, "keep", keep_and_cancel)
        cancelled = answer(engine, "base", asked(prompt))
    assert cancelled.end.outcome == Outcome.CANCELLED
    events = answer(engine, "base", asked(prompt))
    assert events.end.reused_tokens == 2 * CHUNK
    assert events.text == answer(alone, "base", asked(prompt)).text


class Held(Events):
    """Of an answer that stops at its first text until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()

    def put(self, event: Event) -> None:
        super().put(event)
        if isinstance(event, Text):
            assert self.may_go_on.wait(60)


def test_an_adapter_is_dropped_while_a_fork_of_it_answers(engine: Engine, alone: Engine) -> None:
    pins = engine.models.cache.stats().pins
    prompt = some_tokens(2 * CHUNK + 5, 1)
    for _ in range(2):
        answer(engine, "lora0", asked(prompt))
    assert engine.models.contexts.kept().count == 1
    events = Held()
    engine.start(engine.models.find("lora0"), asked(prompt, 40), events.put)
    assert events.has_text.wait(60)
    engine.models.drop("lora0")
    assert engine.models.cache.stats().pins == pins
    events.may_go_on.set()
    assert (events.end.outcome, events.end.reused_tokens) == (Outcome.LENGTH, 2 * CHUNK)
    assert events.text == answer(alone, "lora0", asked(prompt, 40)).text
    until(lambda: engine.models.cache.stats().pins < pins)
    until(lambda: engine.models.contexts.kept().count == 0)
    assert engine.models.contexts.kept() == KeptContexts(0, 0, 0)  # it went with its model


# ---- Forks that fail


def an_error(code: StatusCode) -> Error:
    error = OutOfMemoryError("no more") if code == StatusCode.RESOURCE_EXHAUSTED else Error("no")
    error.code = code
    return error


def let_forks_fail(monkeypatch: pytest.MonkeyPatch, code: StatusCode) -> list[LanguageModel]:
    """The models that should have been forked."""
    tried: list[LanguageModel] = []

    def fail(model: LanguageModel) -> LanguageModel:
        tried.append(model)
        raise an_error(code)

    monkeypatch.setattr(LanguageModel, "fork", fail)
    return tried


def test_where_there_are_no_forks_nothing_is_kept(
    engine: Engine, alone: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="onepack.serve")
    prompt = some_tokens(2 * CHUNK + 5, 1)
    tried = let_forks_fail(monkeypatch, StatusCode.UNSUPPORTED)
    expected = answer(alone, "base", asked(prompt)).text
    assert [answer(engine, "base", asked(prompt)).text for _ in range(4)] == [expected] * 4
    assert len(tried) == 1
    assert caplog.text.count("is not kept") == 1
    assert all(record.levelname == "INFO" for record in caplog.records)


def test_where_there_is_no_memory_for_a_fork_what_is_kept_is_given_back(
    engine: Engine, alone: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other, prompt = some_tokens(2 * CHUNK + 5, 1), some_tokens(2 * CHUNK + 5, 2)
    for _ in range(2):
        answer(engine, "base", asked(other))
    assert engine.models.contexts.kept().count == 1
    expected = answer(alone, "base", asked(prompt)).text
    let_forks_fail(monkeypatch, StatusCode.RESOURCE_EXHAUSTED)
    assert [answer(engine, "base", asked(prompt)).text for _ in range(3)] == [expected] * 3
    assert engine.models.contexts.kept() == KeptContexts(0, 0, 1)
    assert caplog.text.count("given back") == 1


def test_an_answer_that_gets_no_fork_reads_all_itself(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = some_tokens(2 * CHUNK + 5, 1)
    expected = [answer(engine, "base", asked(prompt)).text for _ in range(2)][1]
    let_forks_fail(monkeypatch, StatusCode.RESOURCE_EXHAUSTED)
    events = answer(engine, "base", asked(prompt))
    assert (events.text, events.end.reused_tokens) == (expected, 0)
    assert engine.models.contexts.kept() == KeptContexts(0, 0, 1)


def test_a_model_that_a_fork_has_broken_is_not_used_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = some_tokens(2 * CHUNK + 5, 1)
    answer(engine, "lora0", asked(prompt))
    with monkeypatch.context() as patch:
        let_forks_fail(patch, StatusCode.INTERNAL)
        broken = answer(engine, "lora0", asked(prompt)).end
    assert (broken.outcome, str(broken.error)) == (Outcome.FAILED, "no")
    calls = Calls(monkeypatch)
    after = answer(engine, "lora0", asked(prompt)).end
    assert calls.since() == (0, 0)
    assert after.outcome == Outcome.FAILED
    assert "load it again" in str(after.error)
    assert answer(engine, "base", asked(prompt)).end.outcome == Outcome.LENGTH


def test_a_fork_that_breaks_a_fork_fails_its_answer_alone(
    engine: Engine, alone: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = some_tokens(2 * CHUNK + 5, 1)
    longer = prompt + some_tokens(2 * CHUNK, 2)
    for one in (prompt, longer):
        answer(engine, "base", asked(one))
    fork = LanguageModel.fork

    def fail_at_more(model: LanguageModel) -> LanguageModel:
        if len(model.context) > 2 * CHUNK:
            raise an_error(StatusCode.INTERNAL)
        return fork(model)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageModel, "fork", fail_at_more)
        assert answer(engine, "base", asked(longer)).end.outcome == Outcome.FAILED
    events = answer(engine, "base", asked(longer))
    assert (events.end.outcome, events.end.reused_tokens) == (Outcome.LENGTH, 2 * CHUNK)
    assert events.text == answer(alone, "base", asked(longer)).text


# ---- Memory


def own_bytes() -> int:
    """Memory that goes with the process: anonymous pages, and files in memory."""
    gc.collect()
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


SLACK = 16 * MEGA
"""For what else a process takes meanwhile; what is measured is more."""


def test_eight_conversations_have_their_prompt_once(long_context: Path) -> None:
    begin = some_tokens(1500, 1)
    gc.collect()
    files = len(files_in_memory())
    with an_engine(long_context, contexts=ContextLimits(256 * MEGA)) as engine:
        contexts = engine.models.contexts
        before = own_bytes()
        answer(engine, "base", asked(begin))
        assert own_bytes() < before + SLACK
        assert len(files_in_memory()) == files
        for own in range(8):
            prompt = begin + some_tokens(150, own)
            reused = answer(engine, "base", asked(prompt)).end.reused_tokens
            assert reused == (0 if own == 0 else 1408)
        kept = contexts.kept()
        assert kept.count == 1
        assert 1408 * TOKEN <= kept.bytes < 1408 * TOKEN + 4 * MEGA
        assert own_bytes() < before + kept.bytes + SLACK
        # Their next messages, when each has a context of its own over that.
        for own in range(7):
            prompt = begin + some_tokens(150, own) + some_tokens(20, own)
            answer(engine, "base", asked(prompt))
        more = contexts.kept()
        assert more.count == 8
        # 128 tokens each, and what is left of the activations of their last chunk.
        assert more.bytes < kept.bytes + 7 * (128 * TOKEN + 4 * MEGA) < 3 * kept.bytes
        assert own_bytes() < before + more.bytes + SLACK
        contexts.give_back_all()
        assert contexts.kept() == KeptContexts(0, 0, 8)
        assert len(files_in_memory()) == files
        assert own_bytes() < before + SLACK


def test_conversations_that_take_turns_each_find_what_they_have_said(long_context: Path) -> None:
    conversations = [some_tokens(600, seed) for seed in range(6)]
    with an_engine(long_context, contexts=ContextLimits(256 * MEGA, count=8)) as engine:
        reused = [
            [
                answer(engine, "base", asked(said[:length])).end.reused_tokens
                for said in conversations
            ]
            for length in (200, 330, 460, 590)
        ]
    assert reused == [[0] * 6, [0] * 6, [128] * 6, [256] * 6]


def keep(engine: Engine, name: str, prompt: Sequence[int]) -> str:
    """What is answered to ``prompt``, when a context of it is kept."""
    return [answer(engine, name, asked(prompt)).text for _ in range(2)][1]


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
            first[name] = keep(engine, name, prompt)
            assert 0 < contexts.kept().bytes <= limit
        assert (contexts.kept().count, contexts.kept().given_back) == (2, 1)
        assert own_bytes() < before + limit + SLACK
        # That of the base was the oldest: it is read again, and takes the place of lora0's.
        reused: dict[str, list[int]] = {}
        for name in ("lora1", "base", "lora1", "lora0"):
            events = answer(engine, name, asked(prompts[name]))
            assert events.text == first[name]
            reused.setdefault(name, []).append(events.end.reused_tokens)
        assert reused == {"lora1": [1280, 1280], "base": [0], "lora0": [0]}
        assert contexts.kept().given_back == 3
        assert own_bytes() < before + limit + SLACK


def test_nothing_that_alone_is_over_the_limit_is_kept(long_context: Path) -> None:
    with an_engine(long_context, "lora0", contexts=ContextLimits(10 * MEGA)) as engine:
        keep(engine, "lora0", some_tokens(300, 1))
        kept, before, files = engine.models.contexts.kept(), own_bytes(), len(files_in_memory())
        assert kept.count == 1
        keep(engine, "base", some_tokens(1500, 1))
        assert engine.models.contexts.kept() == kept  # that of the other model stays
        assert len(files_in_memory()) == files
        assert own_bytes() < before + SLACK


def test_no_more_contexts_are_kept_than_may(model_folder: Path) -> None:
    with an_engine(model_folder, contexts=ContextLimits(count=2)) as engine:
        prompts = [some_tokens(CHUNK + 1, seed) for seed in range(3)]
        for one in (0, 1):
            keep(engine, "base", prompts[one])
        answer(engine, "base", asked(prompts[0]))
        keep(engine, "base", prompts[2])
        kept = engine.models.contexts.kept()
        assert (kept.count, kept.given_back) == (2, 1)
        reused = [
            answer(engine, "base", asked(prompts[one])).end.reused_tokens for one in (0, 2, 1)
        ]
    assert reused == [CHUNK, CHUNK, 0]  # the first was used again before the third came


def test_the_default_is_a_part_of_the_memory_that_there_is(tmp_path: Path) -> None:
    machine = memory_limit(tmp_path / "nothing", tmp_path)
    assert machine == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < ContextLimits().bytes <= min(1 << 30, machine // 8)
    of_process = tmp_path / "cgroup"
    group = tmp_path / "groups/outer/inner"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text("5000\n")
    (tmp_path / "memory.max").write_text("7\n")  # is none of the groups
    of_process.write_text("0::/outer/inner\n")
    assert memory_limit(of_process, tmp_path / "groups") == 5000
    (tmp_path / "groups/memory").mkdir()
    (tmp_path / "groups/memory/memory.limit_in_bytes").write_text("4000\n")
    of_process.write_text("3:cpu:/\n4:memory,x:/not_seen_here\n")
    assert memory_limit(of_process, tmp_path / "groups") == 4000


def test_an_idle_model_has_no_context(long_context: Path) -> None:
    with an_engine(long_context, contexts=OFF) as engine:
        before = own_bytes()
        answer(engine, "base", asked(some_tokens(1500, 1)))
        assert own_bytes() < before + SLACK
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
        assert own_bytes() < before + SLACK


# ---- The store, over every kind of state


def read(store: PrefixStore, prompt: tuple[int, ...]) -> tuple[int, np.ndarray]:
    """How many tokens were there already, and the logits after the last."""
    with store.context_for(prompt) as model:
        begun = len(model.context)
        cut = store.cut(prompt, begun)
        if cut > begun:
            model.append(prompt[begun:cut], store.chunk)
            store.keep(model)
        return begun, model.append(prompt[cut:], store.chunk)


STATES = ["update_cache", "index_copy", "index_put", "sdpa_with_kv_cache", "ring", "recurrent"]


@pytest.mark.parametrize("state", STATES)
def test_logits_are_bit_identical(state: str, backend: Backend) -> None:
    """Of states that can go back to a shorter context, and of those that cannot."""
    program = Program(DATA / f"state_{state}.pte")
    root, other = (LanguageModel(program, backend=backend) for _ in range(2))
    store = PrefixStore(root, ContextBudget(ContextLimits(chunk=2)))
    choice = random.Random(1)
    begin = tuple(choice.randrange(1, 20) for _ in range(5))
    begun = []
    for own in range(6):
        prompt = (*begin, own + 1, 3, 5, own + 2)
        count, logits = read(store, prompt)
        other.reset()
        assert np.array_equal(logits, other.append(prompt, store.chunk))
        begun.append(count)
    common = 5 // store.chunk * store.chunk
    assert begun == [0, 0] + [common] * 4
    assert root.context == []


def test_a_model_without_a_cache_is_read_at_one_go(backend: Backend) -> None:
    root = LanguageModel(Program(DATA / "eos_ids.pte"), backend=backend)
    assert (root.chunk_for(0), root.chunk_for(1)) == (16, 16)
    store = PrefixStore(root, ContextBudget(ContextLimits(chunk=1)))
    assert store.chunk == root.max_context
    assert [read(store, (9, 7, 0))[0] for _ in range(3)] == [0, 0, 0]
    assert store.size.count == 0


def test_the_budget_holds_no_model(backend: Backend) -> None:
    budget = ContextBudget(ContextLimits(chunk=2))
    root = LanguageModel(Program(DATA / "state_update_cache.pte"), backend=backend)
    store = PrefixStore(root, budget)
    for _ in range(2):
        read(store, (1, 2, 3, 4))
    assert budget.kept().count == 1
    del store
    assert budget.kept().count == 0


@pytest.mark.parametrize("given", [1, None, "model"])
def test_what_is_no_model_has_no_context(given: object) -> None:
    with pytest.raises(TypeError, match=f"LanguageModels, not .*{type(given).__name__}"):
        context_bytes([given])  # type: ignore[list-item]


# ---- What is told of it


def test_metrics_tell_what_is_kept_and_was_reused(model_folder: Path) -> None:
    with an_engine(model_folder, contexts=ContextLimits(123 * MEGA, 1)) as engine:
        metrics = Metrics(engine)
        engine.on_end = metrics.observe
        for seed in (1, 1, 1, 2, 2):
            answer(engine, "base", asked(some_tokens(CHUNK + 10, seed)))
        kept = engine.models.contexts.kept()
        text = metrics.render().decode()
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("model", "base") == "base"
    }
    assert found["onepack_prompt_tokens_total"] == 5 * (CHUNK + 10)
    assert found["onepack_prompt_tokens_reused_total"] == CHUNK
    assert found["onepack_contexts"] == kept.count == 1
    assert found["onepack_contexts_given_back_total"] == kept.given_back == 1
    assert found["onepack_context_bytes"] == kept.bytes > 0
    assert found["onepack_context_limit_bytes"] == 123 * MEGA


def test_metrics_wait_for_no_context(engine: Engine) -> None:
    metrics = Metrics(engine)
    with engine.models.contexts.lock:
        assert b"onepack_context_bytes" in metrics.render()
