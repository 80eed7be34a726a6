"""Progress, cancelling, threads and lifetimes of loads."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from recorded import CASES, read_case
from tqdm import tqdm

from onepack import (
    Backend,
    CancelledError,
    Error,
    LinearLayout,
    LoadProgress,
    Method,
    NamedData,
    Program,
    StatusCode,
    WeightCache,
)

FOLDER = CASES / "lora_fp32"
CASE = read_case(FOLDER / "lora0.json")
X = numpy.zeros((1, 64), numpy.float32)


def test_progress_goes_from_nothing_to_all(backend: Backend) -> None:
    seen: list[LoadProgress] = []
    CASE.load(backend, on_progress=seen.append)
    assert len(seen) > 2
    assert all(progress.program == str(CASE.program) for progress in seen)
    served = [progress.served_bytes for progress in seen]
    assert served == sorted(served)
    assert served[-1] == seen[-1].expected_bytes


def test_progress_with_tqdm(backend: Backend, tmp_path: Any) -> None:
    with open(tmp_path / "bar", "w") as file, tqdm(unit="B", unit_scale=True, file=file) as bar:

        def show(progress: LoadProgress) -> None:
            bar.total = progress.expected_bytes
            bar.update(progress.served_bytes - bar.n)

        CASE.load(backend, on_progress=show)
        assert bar.n == bar.total > 0


def test_false_cancels_a_load(backend: Backend, cache: WeightCache) -> None:
    with pytest.raises(CancelledError) as raised:
        CASE.load(backend, on_progress=lambda _: False)
    assert raised.value.code == StatusCode.CANCELLED
    assert cache.stats().pins == 0
    CASE.check(CASE.load(backend))


def test_an_event_of_another_thread_cancels_a_load(backend: Backend) -> None:
    started, cancel = threading.Event(), threading.Event()

    def go_on(_: LoadProgress) -> bool:
        started.set()
        cancel.wait(60)
        return not cancel.is_set()

    errors: list[Exception] = []

    def load() -> None:
        try:
            CASE.load(backend, on_progress=go_on)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    assert started.wait(60)
    cancel.set()
    thread.join()
    assert [type(error) for error in errors] == [CancelledError]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, CancelledError])
def test_what_a_callback_raises_comes_out(
    backend: Backend, cache: WeightCache, kind: type[BaseException]
) -> None:
    calls = []

    def raise_it(progress: LoadProgress) -> None:
        calls.append(progress)
        raise kind("mine")

    with pytest.raises(kind, match="mine"):
        CASE.load(backend, on_progress=raise_it)
    assert len(calls) == 1
    assert cache.stats().pins == 0


def test_a_callback_may_load(backend: Backend) -> None:
    loaded: list[Method] = []

    def load_another(_: LoadProgress) -> None:
        if not loaded:
            loaded.append(read_case(FOLDER / "lora1.json").load(backend))

    CASE.check(CASE.load(backend, on_progress=load_another))
    read_case(FOLDER / "lora1.json").check(loaded[0])


def test_a_callback_is_let_go(backend: Backend) -> None:
    def on_progress(_: LoadProgress) -> None: ...

    seen = weakref.ref(on_progress)
    CASE.load(backend, on_progress=on_progress)
    del on_progress
    gc.collect()
    assert seen() is None


def run_together(*works: Callable[[], None]) -> None:
    """Raises what one of them raises."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_loads_overlap(backend: Backend) -> None:
    inside = threading.Barrier(2, timeout=60)  # passes when both are in a load

    def load(name: str) -> None:
        meet = iter([inside.wait])
        case = read_case(FOLDER / f"{name}.json")
        case.check(case.load(backend, on_progress=lambda _: [wait() for wait in meet] and None))

    run_together(lambda: load("lora0"), lambda: load("lora1"))


def test_the_gil_is_released_while_a_method_runs(backend: Backend) -> None:
    # Another thread can find the method busy only if it runs while the method does.
    method = CASE.load(backend)
    found_busy = threading.Event()

    def run_until_busy() -> None:
        while not found_busy.is_set():
            try:
                method(numpy.zeros((64, 64), numpy.float32))
            except Error as error:
                assert error.code == StatusCode.FAILED_PRECONDITION
                assert "in use by another call" in str(error)
                found_busy.set()

    watchdog = threading.Timer(60, found_busy.set)
    watchdog.start()
    run_together(run_until_busy, run_until_busy)
    assert watchdog.is_alive(), "no run was ever seen by the other thread"
    watchdog.cancel()
    CASE.check(method)


def test_threads_run_programs_of_one_backend(backend: Backend) -> None:
    def run(name: str) -> None:
        case = read_case(FOLDER / f"{name}.json")
        for _ in range(20):
            with case.load(backend) as method:
                case.check(method)

    run_together(*(lambda name=name: run(name) for name in ("base", "lora0", "lora1", "lora0")))


def test_a_backend_may_have_threads() -> None:
    with Backend(threads=2, packing_threads=2) as backend:
        CASE.check(CASE.load(backend))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that it has threads
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_process_closes_what_was_loaded(threads: int) -> None:
    backend = Backend(threads=threads)
    method = CASE.load(backend)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            if threads == 1:
                CASE.check(method)
            else:
                with pytest.raises(Error) as raised:
                    method(X)
                assert raised.value.code == StatusCode.FAILED_PRECONDITION
            method.close()
            backend.close()
        except BaseException:  # noqa: BLE001  (pytest must not go on in here)
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    CASE.check(method)


@pytest.mark.parametrize("how", ["close", "forget"])
@pytest.mark.parametrize("linears", [LinearLayout.PACKED, LinearLayout.IN_PLACE])
def test_objects_go_in_any_order(how: str, linears: LinearLayout) -> None:
    cache = WeightCache()
    for order in itertools.permutations(range(5)):
        backend = Backend(cache, linears=linears)
        program = Program(CASE.program)
        data = [NamedData(path) for path in CASE.data]
        method = Method(program, backend=backend, data=data)
        objects: dict[int, Any] = {0: backend, 1: program, 2: data[0], 3: data[1], 4: method}
        del backend, program, data, method
        for number in order:
            if 4 in objects:
                assert cache.stats().pins > 0
                objects[4](X)
            if how == "close":
                objects[number].close()
                assert objects[number].closed
            del objects[number]
        stats = cache.stats()
        assert (stats.pins, stats.bytes, stats.in_place_bytes, stats.entries) == (0, 0, 0, 0)


def test_a_method_outlives_its_cache() -> None:
    cache = WeightCache()
    backend = Backend(cache)
    method = CASE.load(backend)
    cache.close()
    backend.close()
    del cache, backend
    gc.collect()
    CASE.check(method)


def test_a_method_may_be_closed_while_it_loads_and_runs(backend: Backend) -> None:
    def load_run_and_close() -> None:
        for _ in range(30):
            method = CASE.load(backend)
            closer = threading.Thread(target=method.close)
            closer.start()
            try:
                method(X)
            except ValueError as error:
                assert "this method is closed" in str(error)
            closer.join()

    run_together(load_run_and_close, load_run_and_close)
