"""Language models and pools of adapters."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest
from recorded import LANGUAGE_MODELS, llm_data, llm_program

from onepack import (
    AdapterPool,
    Backend,
    ClosedError,
    Error,
    Generation,
    InvalidArgumentError,
    InvalidFileError,
    LanguageModel,
    NotFoundError,
    Program,
    Sampling,
    StatusCode,
    StopReason,
    WeightCache,
)

PROMPT = [3, 17, 99]
COMMAND = os.environ.get("ONEPACK_COMMAND", "")


def load(backend: Backend, name: str = "base") -> LanguageModel:
    return LanguageModel(llm_program(name), backend=backend, data=llm_data(name))


@pytest.fixture
def model(backend: Backend) -> LanguageModel:
    return load(backend)


@pytest.fixture
def pool(backend: Backend) -> AdapterPool:
    pool = AdapterPool(backend=backend, foundation=llm_data("base"))
    for name in ("a0", "a1"):
        pool.add(name, llm_program(name), llm_data(name)[1])
    return pool


# ---- Models


def test_a_model_says_what_it_is(model: LanguageModel) -> None:
    assert model.info.vocab_size == 256
    assert model.info.eos_ids == (2,)
    assert model.info.bos_id == 1
    assert model.info.use_kv_cache
    assert model.info.ignored == ()
    assert model.max_context == 64
    assert model.max_chunk >= 1
    assert model.name.endswith("base.pte")


def test_tokens_come_one_by_one_and_are_those_of_the_result(model: LanguageModel) -> None:
    generation = model.generate(PROMPT, max_new_tokens=10)
    tokens = list(generation)
    result = generation.result()
    assert len(tokens) == 10
    assert result.tokens == tuple(tokens)
    assert result.stop_reason == StopReason.MAX_NEW_TOKENS
    assert (result.prefill_tokens, result.decode_tokens) == (3, 9)
    assert result.prefill_seconds > 0
    assert model.context == PROMPT + tokens[:-1]
    assert list(generation) == []  # all were read
    model.reset()
    assert model.context == []
    assert model.generate(PROMPT, max_new_tokens=10).result().tokens == tuple(tokens)


def test_the_command_says_the_same(model: LanguageModel) -> None:
    if not COMMAND:
        pytest.skip("ONEPACK_COMMAND names no command")
    folder = Path(llm_program("base").name).parent
    done = subprocess.run(
        [COMMAND, "generate", "--program", f"{folder}/base.pte", "--tokens", "3,17,99"]
        + ["--data", f"{folder}/foundation.ptd", "--max-new-tokens", "12"]
        + ["--temperature", "0.8", "--top-k", "20", "--top-p", "0.9", "--seed", "7"],
        capture_output=True,
        text=True,
        check=True,
    )
    sampling = Sampling(temperature=0.8, top_k=20, top_p=0.9, seed=7)
    tokens = model.generate(PROMPT, max_new_tokens=12, sampling=sampling)
    assert " ".join(map(str, tokens)) == done.stdout.splitlines()[0]


@pytest.mark.parametrize("form", [tuple, numpy.array, iter, numpy.int32])
def test_a_prompt_is_whatever_gives_ints(model: LanguageModel, form: Any) -> None:
    expected = model.generate(PROMPT, max_new_tokens=3).result().tokens
    model.reset()
    prompt = numpy.array(PROMPT, numpy.int32) if form is numpy.int32 else form(PROMPT)
    assert model.generate(prompt, max_new_tokens=3).result().tokens == expected


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        ([], {}),
        ([256], {}),
        ([-1], {}),
        ([1] * 65, {}),
        (PROMPT, {"sampling": Sampling(temperature=-1)}),
        (PROMPT, {"sampling": Sampling(top_p=0)}),
        (PROMPT, {"sampling": Sampling(seed=-1)}),
        (PROMPT, {"max_new_tokens": -1}),
        ([2**70], {}),
    ],
)
def test_a_wrong_request_is_refused_where_it_is_read(
    model: LanguageModel, prompt: list[int], options: dict[str, Any]
) -> None:
    for read in (Generation.result, list):
        with pytest.raises(InvalidArgumentError):
            read(model.generate(prompt, **options))
    assert model.context == []
    model.generate(PROMPT, max_new_tokens=1).result()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": "a"}, "`max_new_tokens` must be a non-negative integer"),
        ({"prefill_chunk": 1.5}, "`prefill_chunk` must be a non-negative integer"),
        ({"ignore_eos": "no"}, "`ignore_eos` must be a bool"),
        ({"sampling": Sampling(temperature="hot")}, "`temperature` must be a number"),  # type: ignore[arg-type]
        ({"sampling": Sampling(seed=None)}, "`seed` must be a non-negative"),  # type: ignore[arg-type]
    ],
)
def test_an_option_of_another_kind_is_a_type_error(
    model: LanguageModel, options: dict[str, Any], message: str
) -> None:
    for read in (Generation.result, list):
        with pytest.raises(TypeError, match=message):
            read(model.generate(PROMPT, **options))


def test_options_are_whatever_gives_their_kind(model: LanguageModel) -> None:
    given: list[Any] = [numpy.int32(3), numpy.uint64(2**64 - 1), 1, numpy.bool_(True)]
    count, seed, *ignores = given
    for ignore_eos in ignores:
        generation = model.generate(
            PROMPT,
            max_new_tokens=count,
            sampling=Sampling(temperature=1, seed=seed),
            ignore_eos=ignore_eos,
        )
        assert len(generation.result().tokens) == 3


def test_what_is_no_token_is_refused_at_once(model: LanguageModel) -> None:
    with pytest.raises(TypeError):
        model.generate(["text"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        model.generate([1.5])  # type: ignore[list-item]


def test_stop_tokens_end_an_answer(model: LanguageModel) -> None:
    tokens = model.generate(PROMPT, max_new_tokens=10).result().tokens
    model.reset()
    result = model.generate(PROMPT, stop_tokens=[tokens[4]]).result()
    assert result.stop_reason == StopReason.STOP_TOKEN
    assert result.tokens == tokens[: tokens.index(tokens[4]) + 1]


def test_the_models_own_end_may_be_ignored(backend: Backend) -> None:
    with Program(LANGUAGE_MODELS / "eos_ids.pte") as program:
        model = LanguageModel(program, backend=backend)
    assert model.generate([9]).result().tokens == (7, 0, 58)
    model.reset()
    going_on = model.generate([9], ignore_eos=True).result()
    assert going_on.stop_reason == StopReason.CONTEXT_FULL
    assert len(going_on.tokens) > 3


def test_a_program_of_another_kind_is_unsupported(backend: Backend) -> None:
    program = Program(LANGUAGE_MODELS.parent / "cases/one_channel/channels_last.pte")
    with pytest.raises(Error) as raised:
        LanguageModel(program, backend=backend)
    assert raised.value.code == StatusCode.UNSUPPORTED


def test_append_gives_logits_of_its_own(model: LanguageModel) -> None:
    first = model.append(PROMPT)
    kept = first.copy()
    assert first.dtype == numpy.float32
    assert first.shape == (256,)
    model.append(numpy.array([int(first.argmax())]), chunk=1)
    numpy.testing.assert_array_equal(first, kept)
    model.rewind(3)
    assert model.context == PROMPT
    with pytest.raises(InvalidArgumentError):
        model.rewind(4)
    with pytest.raises(InvalidArgumentError):
        model.append([])


def test_a_context_is_saved_and_restored(backend: Backend, tmp_path: Path) -> None:
    model = load(backend)
    answer = model.generate(PROMPT, max_new_tokens=5).result().tokens
    model.reset()
    model.append(PROMPT[:2])
    saved = model.save()
    assert saved.tokens == PROMPT[:2]
    assert saved.size_bytes > 0
    model.save_file(tmp_path / "context")
    model.reset()
    model.restore(saved)
    assert model.generate(PROMPT[2:], max_new_tokens=5).result().tokens == answer
    model.load_file(tmp_path / "context")
    assert model.context == PROMPT[:2]
    assert model.generate(PROMPT[2:], max_new_tokens=5).result().tokens == answer
    other = load(backend, "a0")
    with pytest.raises(InvalidArgumentError):
        other.restore(saved)
    with pytest.raises(Error) as raised:
        other.load_file(tmp_path / "context")
    assert raised.value.code == StatusCode.MISMATCH
    (tmp_path / "damaged").write_bytes((tmp_path / "context").read_bytes()[:-1])
    with pytest.raises(InvalidFileError):
        other.load_file(tmp_path / "damaged")
    with pytest.raises(FileNotFoundError):
        other.load_file(tmp_path / "nothing")


def test_forks_go_on_from_one_context(backend: Backend) -> None:
    model = load(backend)
    model.append(PROMPT[:2])
    forks = [model.fork() for _ in range(3)]
    assert all(type(fork) is LanguageModel and fork.context == PROMPT[:2] for fork in forks)
    expected = []
    for last in range(3):
        model.append([last])
        expected.append(model.generate(PROMPT[2:], max_new_tokens=5).result().tokens)
        model.rewind(2)
    model.close()

    def answer(last: int) -> tuple[int, ...]:
        forks[last].append([last])
        return forks[last].fork().generate(PROMPT[2:], max_new_tokens=5).result().tokens

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(answer, range(3))) == expected
    with pytest.raises(ClosedError):
        model.fork()


def test_a_recurrent_state_does_not_rewind(backend: Backend) -> None:
    with Program(LANGUAGE_MODELS / "state_recurrent.pte") as program:
        model = LanguageModel(program, backend=backend)
    model.append([1, 2, 3])
    with pytest.raises(Error) as raised:
        model.rewind(1)
    assert raised.value.code == StatusCode.UNSUPPORTED


def test_a_model_in_use_says_so(model: LanguageModel) -> None:
    seen: list[Any] = []

    def look(_: int) -> None:
        seen.append(list(model.context))  # callbacks may look
        for change in (lambda: model.append([1]), model.reset, model.save, model.fork):
            with pytest.raises(Error) as raised:
                change()
            assert raised.value.code == StatusCode.FAILED_PRECONDITION

    model.generate(PROMPT, max_new_tokens=2).result(look)
    assert seen == [PROMPT, model.context]


def test_the_context_is_not_read_while_another_thread_is_in_the_model(
    model: LanguageModel,
) -> None:
    inside, looked = threading.Event(), threading.Event()

    def wait(_: int) -> None:
        inside.set()
        assert looked.wait(60)

    thread = threading.Thread(target=model.generate(PROMPT, max_new_tokens=1).result, args=(wait,))
    thread.start()
    assert inside.wait(60)
    with pytest.raises(Error, match="in use by another call"):
        model.context  # noqa: B018
    looked.set()
    thread.join()


# ---- Generations


def test_nothing_runs_before_it_is_read(model: LanguageModel) -> None:
    generation = model.generate(PROMPT)
    assert model.context == []
    del generation
    assert model.context == []


def test_on_token_sees_every_token(model: LanguageModel) -> None:
    seen: list[int] = []
    generation = model.generate(PROMPT, max_new_tokens=4)
    assert generation.result(seen.append).tokens == tuple(seen)
    assert len(seen) == 4
    assert generation.result().tokens == tuple(seen)  # once more
    with pytest.raises(ValueError, match="started already"):
        generation.result(seen.append)


def test_iterating_after_the_result_gives_its_tokens(model: LanguageModel) -> None:
    generation = model.generate(PROMPT, max_new_tokens=4)
    tokens = generation.result().tokens
    assert tuple(generation) == tokens
    assert tuple(generation) == ()  # as with other iterators


def test_false_from_on_token_cancels(model: LanguageModel) -> None:
    result = model.generate(PROMPT).result(lambda _: False)
    assert (len(result.tokens), result.stop_reason) == (1, StopReason.CANCELLED)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_what_on_token_raises_comes_out(model: LanguageModel, kind: type[BaseException]) -> None:
    def raise_it(_: int) -> None:
        raise kind("mine")

    generation = model.generate(PROMPT)
    with pytest.raises(kind, match="mine"):
        generation.result(raise_it)
    result = generation.result()  # what there is so far
    assert (len(result.tokens), result.stop_reason) == (1, StopReason.CANCELLED)
    model.reset()
    model.generate(PROMPT, max_new_tokens=1).result()


def test_cancel_from_another_thread(model: LanguageModel) -> None:
    generation = model.generate(PROMPT)
    reached, cancelled = threading.Event(), threading.Event()

    def cancel() -> None:
        reached.wait(60)
        generation.cancel()
        cancelled.set()

    thread = threading.Thread(target=cancel)
    thread.start()

    def wait(_: int) -> None:
        reached.set()
        assert cancelled.wait(60)

    result = generation.result(wait)
    thread.join()
    assert (len(result.tokens), result.stop_reason) == (1, StopReason.CANCELLED)


def test_cancel_before_the_start(model: LanguageModel) -> None:
    generation = model.generate(PROMPT)
    generation.cancel()
    assert list(generation) == []
    assert generation.result().stop_reason == StopReason.CANCELLED


def test_a_with_statement_frees_the_model(model: LanguageModel) -> None:
    with model.generate(PROMPT) as generation:
        first = next(generation)
    result = generation.result()
    assert result.tokens[0] == first
    assert model.context == [*PROMPT, *result.tokens][: len(model.context)]
    model.reset()  # nobody is in it


def test_close_waits_for_the_thread_that_makes_it(model: LanguageModel) -> None:
    generation = model.generate(PROMPT)
    inside = threading.Event()
    thread = threading.Thread(target=generation.result, args=(lambda _: inside.set(),))
    thread.start()
    assert inside.wait(60)
    generation.close()
    assert generation.result().tokens
    model.reset()
    thread.join()


def test_a_callback_does_not_wait_for_its_own_answer(model: LanguageModel) -> None:
    generation = model.generate(PROMPT)

    def ask(_: int) -> None:
        with pytest.raises(ValueError, match="has not ended"):
            generation.result()
        generation.close()

    assert generation.result(ask).stop_reason == StopReason.CANCELLED


def test_a_callback_does_not_iterate_over_its_own_answer(model: LanguageModel) -> None:
    generation = model.generate(PROMPT, max_new_tokens=2)

    def read(_: int) -> None:
        with pytest.raises(ValueError, match="has not ended"):
            next(generation)

    assert tuple(generation.result(read).tokens) == tuple(generation)


def test_an_answer_whose_thread_does_not_start_has_ended(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    generation = model.generate(PROMPT)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="new thread"), generation:
            next(generation)
    for read in (Generation.result, next):
        with pytest.raises(RuntimeError, match="new thread"):
            read(generation)
    generation.close()
    model.generate(PROMPT, max_new_tokens=1).result()


def test_an_interrupt_before_the_model_runs_ends_an_answer(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    generation = model.generate(PROMPT)
    monkeypatch.setattr(generation._answer, "_make", interrupt)
    with pytest.raises(KeyboardInterrupt), generation:
        generation.result()
    assert generation.result().stop_reason == StopReason.CANCELLED
    assert list(generation) == []


@pytest.mark.parametrize("read", [Generation.result, list])
def test_an_error_keeps_no_model(backend: Backend, read: Any) -> None:
    model = load(backend)
    generation = model.generate([])
    seen = weakref.ref(model)

    def fail(generation: Generation) -> None:
        with pytest.raises(InvalidArgumentError):
            read(generation)

    gc.disable()
    try:
        fail(generation)
        fail(generation)
        for thread in threading.enumerate():
            if thread.name == "onepack generation":
                thread.join()
        del model
        assert seen() is None
        kept = weakref.ref(generation)
        del generation
        assert kept() is None
    finally:
        gc.enable()


def test_a_loop_that_is_left_frees_the_model(model: LanguageModel) -> None:
    for number in range(50):
        for _ in model.generate(PROMPT, max_new_tokens=40, ignore_eos=True):  # room for more
            break
        uses: list[Any] = [
            model.reset,
            model.save,
            lambda: model.append([1]),
            lambda: model.context,
            lambda: list(model.generate([1], max_new_tokens=1)),
        ]
        uses[number % len(uses)]()
        model.reset()


def test_one_that_is_forgotten_is_collected_and_cancelled(model: LanguageModel) -> None:
    generation = model.generate(PROMPT)
    next(generation)
    threads = [t for t in threading.enumerate() if t.name == "onepack generation"]
    seen = weakref.ref(generation)
    del generation
    gc.collect()
    assert seen() is None
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    model.reset()


def test_several_threads_read_one_answer(model: LanguageModel) -> None:
    generation = model.generate(PROMPT, max_new_tokens=40, ignore_eos=True)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.extend(generation)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(generation.result().tokens)


@pytest.fixture(scope="module")
def long_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not COMMAND:
        pytest.skip("ONEPACK_COMMAND names no command")
    folder = tmp_path_factory.mktemp("model")
    sizes = ["--context", "65536", "--layers", "1", "--vocabulary", "512", "--adapters", "0"]
    subprocess.run([COMMAND, "make-model", "llm", folder, *sizes], check=True, capture_output=True)
    return folder


def long_answer(folder: Path) -> Generation:
    from onepack import NamedData

    model = LanguageModel(
        Program(folder / "base.pte"),
        backend=Backend(),
        data=[NamedData(path) for path in folder.glob("*.ptd")],
    )
    return model.generate([1], max_new_tokens=60000, ignore_eos=True)


@pytest.mark.parametrize("read", [Generation.result, list])
def test_a_signal_interrupts_the_main_thread(long_model: Path, read: Any) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with long_answer(long_model) as generation:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                read(generation)
            generation.close()
            assert generation.result().stop_reason == StopReason.CANCELLED
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_python_ends_while_an_answer_is_made(long_model: Path) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from test_generate import long_answer\n"
        "generation = long_answer(Path(sys.argv[1]))\n"
        "next(generation)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(long_model), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("call", ["generate", "load"])
def test_python_ends_while_a_daemon_thread_is_in_a_callback(call: str) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import threading, time\n"
        "from onepack import Backend, Program\n"
        "from recorded import CASES, read_case\n"
        "from test_generate import load\n"
        "inside = threading.Event()\n"
        "class Slow:\n"  # the thread comes back while Python ends
        "    def __del__(self, sleep=time.sleep):\n"
        "        sleep(0.5)\n"
        "sys.kept = Slow()\n"
        "def wait(_, sleep=time.sleep):\n"
        "    inside.set()\n"
        "    sleep(0.2)\n"
        "def generate():\n"
        "    load(Backend()).generate([3]).result(wait)\n"
        "def load_method():\n"
        "    read_case(CASES / 'lora_fp32/lora0.json').load(Backend(), on_progress=wait)\n"
        "target = generate if sys.argv[1] == 'generate' else load_method\n"
        "threading.Thread(target=target, daemon=True).start()\n"
        "inside.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, call, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# ---- Pools


def test_a_pool_answers_as_each_model_does(pool: AdapterPool, backend: Backend) -> None:
    for name in ("a0", "a1"):
        expected = load(backend, name).generate(PROMPT, max_new_tokens=8).result().tokens
        for _ in range(2):  # each request has a context of its own
            assert tuple(pool.generate(name, PROMPT, max_new_tokens=8)) == expected


def test_names_come_and_go(pool: AdapterPool, cache: WeightCache) -> None:
    assert pool.names() == ["a0", "a1"]
    assert len(pool) == 2
    assert "a0" in pool
    assert "base" not in pool
    assert 5 not in pool
    with pytest.raises(InvalidArgumentError, match="a0"):
        pool.add("a0", llm_program("a0"), llm_data("a0")[1])
    pins = cache.stats().pins
    pool.drop("a0")
    assert pool.names() == ["a1"]
    assert cache.stats().pins < pins
    for use in (
        lambda: pool.drop("a0"),
        lambda: list(pool.generate("a0", PROMPT)),
        lambda: pool.generate("a0", PROMPT).result(),
    ):
        with pytest.raises(NotFoundError, match="a0"):
            use()
    pool.drop("a1")
    assert len(pool) == 0
    assert pool  # is one, though it is empty
    pool.close()
    assert cache.stats().pins == 0


def test_an_adapter_that_does_not_fit_changes_nothing(pool: AdapterPool) -> None:
    with pytest.raises(NotFoundError, match=r"a0\.pte"):
        pool.add("wrong", llm_program("a0"))
    with pytest.raises(RuntimeError, match="mine"):
        pool.add("raises", llm_program("a0"), llm_data("a0")[1], on_progress=raise_mine)
    assert pool.names() == ["a0", "a1"]
    pool.generate("a0", PROMPT, max_new_tokens=1).result()


def raise_mine(_: Any) -> None:
    raise RuntimeError("mine")


def test_adapters_answer_at_the_same_time(pool: AdapterPool) -> None:
    both = threading.Barrier(2, timeout=60)  # passes when two requests are in their callbacks
    answers: dict[str, Any] = {}

    def ask(name: str) -> None:
        first = iter([both.wait])
        answers[name] = pool.generate(name, PROMPT, max_new_tokens=8).result(
            lambda _: [wait() for wait in first] and None
        )

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("a0", "a1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {len(answer.tokens) for answer in answers.values()} == {8}
    assert not both.broken


def test_requests_to_one_adapter_take_turns(pool: AdapterPool) -> None:
    expected = pool.generate("a0", PROMPT, max_new_tokens=8).result().tokens
    generations = [pool.generate("a0", PROMPT, max_new_tokens=8) for _ in range(4)]
    found = [next(generation) for generation in generations]
    assert found == [expected[0]] * 4
    assert {generation.result().tokens for generation in generations} == {expected}


def test_a_callback_does_not_wait_for_its_own_adapter(pool: AdapterPool) -> None:
    def ask_again(_: int) -> None:
        pool.generate("a0", PROMPT).result()

    with pytest.raises(Error, match="is answering") as raised:
        pool.generate("a0", PROMPT).result(ask_again)
    assert raised.value.code == StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("name", ["a0", "a1"])
def test_a_callback_of_a_pool_does_not_iterate(
    pool: AdapterPool, model: LanguageModel, name: str
) -> None:
    def ask(_: int) -> bool:
        generation = pool.generate(name, PROMPT, max_new_tokens=2)
        with pytest.raises(Error, match="does not iterate") as raised:
            next(generation)
        assert raised.value.code == StatusCode.FAILED_PRECONDITION
        if name == "a1":
            assert len(generation.result().tokens) == 2
        assert len(list(model.generate(PROMPT, max_new_tokens=2))) == 2
        return False

    assert len(pool.generate("a0", PROMPT).result(ask).tokens) == 1
    assert list(pool.generate("a0", PROMPT, max_new_tokens=1))


def test_a_callback_may_ask_another_adapter_and_drop_its_own(pool: AdapterPool) -> None:
    def ask(_: int) -> bool:
        assert len(pool.generate("a1", PROMPT, max_new_tokens=2).result().tokens) == 2
        pool.drop("a0")
        return False

    assert pool.generate("a0", PROMPT).result(ask).stop_reason == StopReason.CANCELLED
    assert pool.names() == ["a1"]


def test_a_pool_that_is_closed_finishes_its_answers(pool: AdapterPool) -> None:
    def close(_: int) -> None:
        pool.close()

    assert len(pool.generate("a0", PROMPT, max_new_tokens=3).result(close).tokens) == 3
    assert pool.closed
