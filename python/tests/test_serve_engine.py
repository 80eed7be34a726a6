"""The server's engine, without HTTP."""

from __future__ import annotations

import gc
import logging
import random
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import Events, an_engine, answer, files_of, make_model, make_tokenizer, until

from onepack import (
    Backend,
    Error,
    InvalidArgumentError,
    InvalidFileError,
    LanguageModel,
    LinearLayout,
    NamedData,
    NotFoundError,
    Program,
    Sampling,
    StatusCode,
)
from onepack.serve import Engine, open_engine
from onepack.serve.answer import AnswerRequest, End, Outcome
from onepack.serve.files import AdapterFiles
from onepack.serve.metrics import Metrics
from onepack.serve.models import AdapterExistsError
from onepack.serve.scheduler import QueueFullError, Scheduler, SchedulerClosedError
from onepack.serve.stop import StopFilter

PROMPT = (1, 17, 99)
LIVELY = Sampling(temperature=1.0, seed=7)
SHORT = AnswerRequest(PROMPT, 24, LIVELY, ignore_eos=True)
FOREVER = AnswerRequest(PROMPT, 60000, Sampling(), ignore_eos=True)


# ---- Stop strings


def filtered(stops: list[str], pieces: list[str]) -> str:
    stop = StopFilter(stops)
    return "".join([stop.add(piece) for piece in pieces] + [stop.finish()])


@pytest.mark.parametrize(
    ("stops", "text", "expected"),
    [
        ([], "all of it", "all of it"),
        (["END"], "one END two", "one "),
        (["END"], "one EN", "one EN"),
        (["END"], "EENEND", "EEN"),
        (["abab"], "aababab", "a"),
        (["two", "one"], "zero one two", "zero "),
        (["ab", "abc"], "xabc", "x"),
        (["abc", "b"], "xabc", "xa"),
        (["c", "abc", "bc"], "xabc", "x"),
        (["\n\n"], "a\nb\n\nc", "a\nb"),
    ],
)
def test_a_stop_string_ends_text_however_it_is_cut(
    stops: list[str], text: str, expected: str
) -> None:
    choice = random.Random(7)
    for _ in range(50):
        cuts = sorted(choice.choices(range(len(text) + 1), k=choice.randrange(6)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
        assert filtered(stops, pieces) == expected
    assert filtered(stops, list(text)) == expected


def test_only_what_may_become_a_stop_string_is_held_back() -> None:
    stop = StopFilter(["END"])
    assert stop.add("an E") == "an "
    assert stop.add("N") == ""
    assert stop.add("T") == "ENT"
    assert stop.add("END and more") == ""
    assert stop.has_stopped
    assert stop.add("more") + stop.finish() == ""


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        StopFilter(["a", ""])


# ---- Turns


class Work:
    """That goes on until it is released."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()

    def __call__(self) -> None:
        self.started.set()
        assert self.release.wait(60)


def test_owners_run_in_parallel_and_each_in_turn() -> None:
    scheduler = Scheduler(parallel=2, queue_limit=8)
    first, second, other = Work(), Work(), Work()
    scheduler.submit("a", first)
    scheduler.submit("a", second)
    scheduler.submit("b", other)
    assert first.started.wait(60)
    assert other.started.wait(60)  # though it came later than what waits for its turn
    assert (scheduler.running, scheduler.waiting) == (2, 1)
    other.release.set()
    until(lambda: scheduler.running == 1)
    assert not second.started.is_set()
    first.release.set()
    assert second.started.wait(60)
    second.release.set()
    scheduler.close()
    assert (scheduler.running, scheduler.waiting) == (0, 0)


def test_no_more_run_or_wait_than_may() -> None:
    scheduler = Scheduler(parallel=1, queue_limit=1)
    first, second = Work(), Work()
    scheduler.submit("a", first)
    scheduler.submit("b", second)
    with pytest.raises(QueueFullError, match="1 requests"):
        scheduler.submit("c", Work())
    assert first.started.wait(60)
    assert not second.started.is_set()
    first.release.set()
    assert second.started.wait(60)
    third = Work()
    third.release.set()
    scheduler.submit("c", third)
    second.release.set()
    scheduler.close()
    assert third.started.is_set()
    with pytest.raises(SchedulerClosedError):
        scheduler.submit("a", Work())


def test_what_waits_can_be_withdrawn() -> None:
    scheduler = Scheduler(parallel=1, queue_limit=1)
    first, second = Work(), Work()
    running = scheduler.submit("a", first)
    waiting = scheduler.submit("a", second)
    assert not scheduler.withdraw(running)
    assert scheduler.withdraw(waiting)
    assert not scheduler.withdraw(waiting)
    first.release.set()
    scheduler.close()
    assert not second.started.is_set()


def test_work_that_raises_gives_its_place_back(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = Scheduler(parallel=1, queue_limit=1)

    def fail() -> None:
        raise RuntimeError("no good")

    second = Work()
    second.release.set()
    scheduler.submit("a", fail)
    scheduler.submit("a", second)
    assert second.started.wait(60)
    scheduler.close()
    assert "no good" in caplog.text


def test_what_no_thread_takes_is_not_busy() -> None:
    scheduler = Scheduler(parallel=1, queue_limit=1)
    scheduler._threads.shutdown()  # as at the interpreter's end
    with pytest.raises(RuntimeError):
        scheduler.submit("a", Work())
    assert scheduler.running == 0
    scheduler.close()


@pytest.mark.parametrize(("parallel", "queue_limit"), [(0, 1), (1, -1)])
def test_limits_that_mean_nothing_are_refused(parallel: int, queue_limit: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        Scheduler(parallel, queue_limit)


# ---- Models


def test_adapters_share_the_foundation(engine: Engine, model_folder: Path) -> None:
    base, *adapters = engine.models.all()
    assert [base.name, *(adapter.name for adapter in adapters)] == ["base", "lora0", "lora1"]
    assert base.is_base

    def weights(model: object) -> int:
        memory = vars(model)["memory"]
        return int(memory.packed_bytes + memory.in_place_bytes + memory.copied_bytes)

    for adapter in adapters:
        assert not adapter.is_base
        own = (model_folder / f"{adapter.name}.ptd").stat().st_size
        assert 0 < weights(adapter) < 2 * own < weights(base)
        program = (model_folder / f"{adapter.name}.pte").stat().st_size
        assert adapter.memory.file_bytes == own + program
    files = [model_folder / file for file in ("base.pte", "foundation.ptd")]
    assert base.memory.file_bytes == sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("linears", [LinearLayout.PACKED, LinearLayout.IN_PLACE])
def test_the_memory_of_a_model_is_told_by_what_it_is(
    model_folder: Path, linears: LinearLayout
) -> None:
    with an_engine(model_folder, linears=linears) as engine:
        memory = engine.models.base.memory
    is_packed = linears == LinearLayout.PACKED
    assert memory.packed_bytes > 10 * memory.in_place_bytes or not is_packed
    assert memory.in_place_bytes > 10 * memory.packed_bytes or is_packed


def test_adapters_come_and_go(engine: Engine, model_folder: Path) -> None:
    models = engine.models
    with pytest.raises(AdapterExistsError, match="lora0"):
        models.add("lora0", model_folder / "lora0.pte", [model_folder / "lora0.ptd"])
    with pytest.raises(InvalidArgumentError, match="base"):
        models.drop("base")
    pins = models.cache.stats().pins
    models.drop("lora0")
    gc.collect()
    assert models.cache.stats().pins < pins
    with pytest.raises(NotFoundError, match="lora0"):
        models.find("lora0")
    with pytest.raises(NotFoundError, match="lora0"):
        models.drop("lora0")
    models.add("again", model_folder / "lora0.pte", [model_folder / "lora0.ptd"])
    assert models.cache.stats().pins == pins


def test_a_loaded_adapter_is_there_as_long_as_somebody_has_it(
    engine: Engine, model_folder: Path
) -> None:
    models = engine.models
    pins = models.cache.stats().pins
    own = models.load("own", model_folder / "lora0.pte", [model_folder / "lora0.ptd"])
    with pytest.raises(NotFoundError, match="own"):
        models.find("own")
    events = Events()
    engine.start(own, SHORT, events.put)
    assert events.end.outcome == Outcome.LENGTH
    assert events.text == answer(engine, "lora0", SHORT).text
    assert models.cache.stats().pins > pins
    del own
    until(lambda: models.cache.stats().pins == pins)


def test_a_dropped_model_is_unmapped_without_the_lock(engine: Engine) -> None:
    """Others are found meanwhile."""
    models = engine.models
    was_locked: list[bool] = []
    weakref.finalize(models.find("lora0"), lambda: was_locked.append(models._lock.locked()))
    models.drop("lora0")
    assert was_locked == [False]


def test_an_adapter_without_its_data_changes_nothing(engine: Engine, model_folder: Path) -> None:
    before = engine.models.cache.stats()
    with pytest.raises(NotFoundError, match=r"lora0\.pte"):
        engine.models.add("wrong", model_folder / "lora0.pte", [])
    with pytest.raises(FileNotFoundError):
        engine.models.add("wrong", model_folder / "nothing.pte", [])
    assert engine.models.cache.stats().pins == before.pins
    assert [model.name for model in engine.models.all()] == ["base", "lora0", "lora1"]


def test_an_adapter_of_another_foundation_is_refused(engine: Engine, tmp_path: Path) -> None:
    make_model(tmp_path, seed=1, adapters=1)
    own = [tmp_path / "foundation.ptd", tmp_path / "lora0.ptd"]
    with pytest.raises(Error) as raised:  # of keys that the foundation does not have
        engine.models.add("other", tmp_path / "lora0.pte", own[1:])
    assert raised.value.code in (StatusCode.NOT_FOUND, StatusCode.MISMATCH)
    with pytest.raises(Error) as raised:  # of the same keys, for other bytes
        engine.models.add("other", tmp_path / "lora0.pte", own)
    assert raised.value.code == StatusCode.MISMATCH


def test_an_adapter_that_brings_all_it_needs_is_refused(engine: Engine, tmp_path: Path) -> None:
    make_model(tmp_path, seed=1, adapters=1, data="payload")
    before = engine.models.cache.stats()
    with pytest.raises(
        Error, match="'alone': .*lora0.pte uses nothing of the foundation"
    ) as raised:
        engine.models.add("alone", tmp_path / "lora0.pte", [])
    assert raised.value.code == StatusCode.MISMATCH
    del raised
    gc.collect()
    after = engine.models.cache.stats()
    assert (after.pins, after.entries) == (before.pins, before.entries)


def test_an_adapter_that_a_server_is_started_with_is_refused_by_name(model_folder: Path) -> None:
    files = files_of(model_folder)
    wrong = AdapterFiles("misfit", model_folder / "lora0.pte")
    with pytest.raises(NotFoundError, match="adapter 'misfit': "):
        open_engine(type(files)(files.program, files.data, files.tokenizer, (wrong,)))


def test_a_wrong_chat_template_is_refused_at_the_start(model_folder: Path, tmp_path: Path) -> None:
    make_tokenizer(tmp_path, chat_template="{% for")
    with pytest.raises(InvalidFileError, match="chat template"):
        open_engine(replace(files_of(model_folder), tokenizer=tmp_path))


# ---- Answers


def tokens_of(folder: Path, name: str, request: AnswerRequest) -> list[int]:
    """What the package gives, without the engine."""
    data = [NamedData(folder / "foundation.ptd")]
    if name != "base":
        data.append(NamedData(folder / f"{name}.ptd"))
    model = LanguageModel(Program(folder / f"{name}.pte"), backend=Backend(), data=data)
    generation = model.generate(
        request.prompt,
        max_new_tokens=request.max_new_tokens,
        sampling=request.sampling,
        ignore_eos=request.ignore_eos,
    )
    return list(generation.result().tokens)


@pytest.mark.parametrize("name", ["base", "lora0", "lora1"])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.9, 0, 0.95, 7)])
def test_answers_are_those_of_the_model(
    engine: Engine, model_folder: Path, name: str, sampling: Sampling
) -> None:
    request = AnswerRequest(PROMPT, 24, sampling, ignore_eos=True)
    tokens = tokens_of(model_folder, name, request)
    known = [token for token in tokens if token < engine.tokenizer.vocab_size]
    for _ in range(2):  # each in a context of its own
        events = answer(engine, name, request)
        assert events.text == engine.tokenizer.decode(known)
        assert events.end.outcome == Outcome.LENGTH
        assert (events.end.prompt_tokens, events.end.completion_tokens) == (3, 24)
        assert events.end.decode_tokens == 23
        assert events.end.first_token_seconds is not None


def test_adapters_answer_differently(engine: Engine) -> None:
    assert len({answer(engine, name, SHORT).text for name in ("base", "lora0", "lora1")}) == 3


def test_a_stop_string_over_several_tokens_ends_the_model(engine: Engine) -> None:
    whole = answer(engine, "base", SHORT).text
    middle = len(whole) // 2
    stop = whole[middle : middle + 4]
    request = AnswerRequest(PROMPT, 24, LIVELY, (stop, "never"), True)
    events = answer(engine, "base", request)
    assert events.text == whole[: whole.index(stop)]
    assert events.end.outcome == Outcome.STOP
    assert events.end.completion_tokens < 24


def test_the_token_that_ends_an_answer_is_no_text(model_folder: Path) -> None:
    """Also where the tokenizer has text for it."""
    with an_engine(model_folder) as engine:
        first = tokens_of(model_folder, "base", SHORT)
        ends_at = next(i for i, token in enumerate(first) if token not in first[:i] and i >= 2)

        class Ending(type(engine.tokenizer)):  # type: ignore[misc]
            eos_ids = (first[ends_at],)

        engine.tokenizer.__class__ = Ending
        events = answer(engine, "base", AnswerRequest(PROMPT, 24, LIVELY))
    assert events.end.outcome == Outcome.STOP
    assert events.end.completion_tokens == ends_at + 1
    known = [token for token in first[:ends_at] if token < engine.tokenizer.vocab_size]
    assert events.text == engine.tokenizer.decode(known)


def test_models_answer_at_the_same_time(engine: Engine) -> None:
    both = threading.Barrier(2, timeout=60)  # passes when two answers are being given

    class Meeting(Events):
        def put(self, event: object) -> None:
            if not self.has_text.is_set() and not isinstance(event, End):
                both.wait()
            super().put(event)  # type: ignore[arg-type]

    meetings = [Meeting(), Meeting()]
    for name, events in zip(("lora0", "lora1"), meetings):
        engine.start(engine.models.find(name), SHORT, events.put)
    assert [events.end.outcome for events in meetings] == [Outcome.LENGTH] * 2


def test_a_cancelled_answer_ends_before_the_next_call_of_the_model(engine: Engine) -> None:
    events = Events()
    reached, cancelled = threading.Event(), threading.Event()

    def wait(event: object) -> None:
        if not isinstance(event, End):
            reached.set()
            assert cancelled.wait(60)
        events.put(event)  # type: ignore[arg-type]

    running = engine.start(engine.models.base, FOREVER, wait)
    assert reached.wait(60)
    engine.cancel(running)
    cancelled.set()
    assert events.end.outcome == Outcome.CANCELLED
    assert len(events.all) == 2  # the piece that was being given, and the end
    engine.cancel(running)
    assert answer(engine, "base", SHORT).end.outcome == Outcome.LENGTH


def test_a_cancelled_request_leaves_the_queue_at_once(engine: Engine) -> None:
    running, waiting = Events(), Events()
    first = engine.start(engine.models.base, FOREVER, running.put)
    second = engine.start(engine.models.base, FOREVER, waiting.put)
    assert running.has_text.wait(60)
    assert engine.scheduler.waiting == 1
    engine.cancel(second)
    assert waiting.has_ended.is_set()
    assert (waiting.end.outcome, waiting.end.completion_tokens) == (Outcome.CANCELLED, 0)
    assert engine.scheduler.waiting == 0
    assert not running.has_ended.is_set()
    engine.cancel(first)
    assert running.end.outcome == Outcome.CANCELLED


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_requests_to_a_dropped_adapter_are_answered(engine: Engine) -> None:
    pins = engine.models.cache.stats().pins
    running, waiting = Events(), Events()
    model = engine.models.find("lora0")
    request = AnswerRequest(PROMPT, 2000, Sampling(), ignore_eos=True)
    engine.start(model, request, running.put)
    engine.start(model, SHORT, waiting.put)
    assert running.has_text.wait(60)
    engine.models.drop("lora0")
    del model
    assert not running.has_ended.is_set()
    assert engine.models.cache.stats().pins == pins
    assert (running.end.outcome, running.end.completion_tokens) == (Outcome.LENGTH, 2000)
    assert (waiting.end.outcome, waiting.end.completion_tokens) == (Outcome.LENGTH, 24)
    until(lambda: engine.models.cache.stats().pins < pins)


@pytest.mark.usefixtures("no_collection")
def test_no_answer_keeps_its_model(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it ends, and also where the end is kept."""
    # pytest keeps what is logged, with its traceback.
    monkeypatch.setattr(logging.getLogger("onepack.serve"), "disabled", True)
    model = weakref.ref(engine.models.find("lora0"))
    failed = answer(engine, "lora0", AnswerRequest((1, 10**6), 4, Sampling()))
    running, waiting = Events(), Events()
    answers = [
        engine.start(engine.models.find("lora0"), FOREVER, events.put)
        for events in (running, waiting)
    ]
    assert running.has_text.wait(60)
    engine.models.drop("lora0")
    for unwanted in reversed(answers):
        engine.cancel(unwanted)
    del answers, unwanted
    until(lambda: model() is None)
    assert failed.end.outcome == Outcome.FAILED
    assert running.end.outcome == waiting.end.outcome == Outcome.CANCELLED


def test_an_answer_ends_though_on_end_fails(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: End) -> None:
        raise RuntimeError("no more metrics")

    engine.on_end = fail
    assert answer(engine, "base", SHORT).end.outcome == Outcome.LENGTH
    assert "no more metrics" in caplog.text


def test_what_no_model_has_read_is_not_counted(engine: Engine) -> None:
    metrics = Metrics(engine)
    engine.on_end = metrics.observe
    running, waiting = Events(), Events()
    first = engine.start(engine.models.base, FOREVER, running.put)
    second = engine.start(engine.models.base, FOREVER, waiting.put)
    assert running.has_text.wait(60)
    engine.cancel(second)
    engine.cancel(first)
    assert running.end.queue_seconds is not None
    assert waiting.end.queue_seconds is None
    found = metrics.render()
    assert b'onepack_answers_total{model="base",outcome="cancelled"} 2.0' in found
    assert b'onepack_prompt_tokens_total{model="base"} 3.0' in found
    assert b'onepack_queue_seconds_count{model="base"} 1.0' in found


def test_an_answer_that_fails_says_why(engine: Engine) -> None:
    events = answer(engine, "base", AnswerRequest((1, 10**6), 4, Sampling()))
    assert events.end.outcome == Outcome.FAILED
    assert isinstance(events.end.error, InvalidArgumentError)
    assert answer(engine, "base", SHORT).end.outcome == Outcome.LENGTH


def test_closing_cancels_what_runs_and_what_waits(model_folder: Path) -> None:
    ends: list[End] = []
    with an_engine(model_folder, queue_limit=1) as engine:
        engine.on_end = ends.append
        running, waiting = Events(), Events()
        engine.start(engine.models.base, FOREVER, running.put)
        engine.start(engine.models.base, FOREVER, waiting.put)
        with pytest.raises(QueueFullError):
            engine.start(engine.models.base, FOREVER, Events().put)
        assert running.has_text.wait(60)
        engine.close()
        assert running.end.outcome == waiting.end.outcome == Outcome.CANCELLED
        assert {id(end) for end in ends} == {id(running.end), id(waiting.end)}
        with pytest.raises(SchedulerClosedError):
            engine.start(engine.models.base, FOREVER, Events().put)


def test_a_token_that_the_tokenizer_does_not_have_is_no_text(model_folder: Path) -> None:
    """A head is padded to a round size, and ids may have gaps; it ends nothing."""
    tokens = tokens_of(model_folder, "base", SHORT)
    gaps = set(tokens[1::2])
    with an_engine(model_folder) as engine:
        known = engine.tokenizer.decode([token for token in tokens if token not in gaps])

        class Sparse(type(engine.tokenizer)):  # type: ignore[misc]
            vocab_size = 0  # smaller than ids that there are

            def decode(self, tokens: list[int], **options: Any) -> str:
                if gaps.intersection(tokens):
                    raise InvalidArgumentError("no such token")
                return str(super().decode(tokens, **options))

        engine.tokenizer.__class__ = Sparse
        events = answer(engine, "base", SHORT)
    assert events.text == known != ""
    assert events.end.outcome == Outcome.LENGTH
    assert events.end.completion_tokens == 24
