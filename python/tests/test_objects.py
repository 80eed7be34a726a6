"""Opening, closing, errors, statistics and state."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from recorded import CASES, LANGUAGE_MODELS, llm_data, llm_program, read_case

import onepack
from onepack import (
    AdapterPool,
    Backend,
    ChecksumPolicy,
    ClosedError,
    Error,
    FileAccessError,
    InvalidArgumentError,
    InvalidFileError,
    LanguageModel,
    LinearLayout,
    Method,
    NamedData,
    NoSuchFileError,
    NotFoundError,
    OutOfMemoryError,
    Program,
    SharedState,
    StatusCode,
    WeightCache,
)

FOLDER = CASES / "lora_fp32"
CASE = read_case(FOLDER / "lora0.json")
X = numpy.zeros((1, 64), numpy.float32)


def code_of(call: Any) -> StatusCode:
    with pytest.raises(Error) as raised:
        call()
    return raised.value.code


# ---- Opening


@pytest.mark.parametrize("kind", [Program, NamedData])
def test_a_missing_file_is_file_not_found(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    with pytest.raises(FileNotFoundError, match="nothing: No such file") as raised:
        kind(path)
    assert isinstance(raised.value, NoSuchFileError)
    assert isinstance(raised.value, NotFoundError)
    assert raised.value.code == StatusCode.NOT_FOUND
    assert raised.value.filename == str(path)
    assert raised.value.errno == errno.ENOENT


@pytest.mark.parametrize("kind", [Program, NamedData])
def test_another_file_is_an_invalid_file(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no program, and no data file either" * 100)
    with pytest.raises(InvalidFileError, match="text"):
        kind(path)
    assert code_of(lambda: kind(path)) == StatusCode.INVALID_FILE


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert code_of(lambda: Program(tmp_path)) == StatusCode.INVALID_ARGUMENT


def test_what_the_system_refuses_is_an_os_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="loop") as raised:
        Program(loop)
    assert isinstance(raised.value, FileAccessError)
    assert raised.value.code == StatusCode.IO_ERROR
    assert raised.value.errno == errno.ELOOP


@pytest.mark.parametrize("form", [str, os.fsencode, Path])
def test_a_path_is_whatever_python_takes_for_one(form: Any) -> None:
    assert Program(form(CASE.program)).method_names == ["forward"]
    with pytest.raises(TypeError):
        Program(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="null byte"):
        Program("a\0b")


def test_a_path_may_be_any_bytes(tmp_path: Path, backend: Backend) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.pte"
    with pytest.raises(FileNotFoundError) as raised:
        Program(path)
    assert os.fsencode(raised.value.filename) == path
    Path(os.fsdecode(path)).write_bytes(CASE.program.read_bytes())
    program = Program(path)
    assert os.fsencode(program.name) == path
    assert "Program" in repr(program)
    with pytest.raises(NotFoundError):
        Method(program, backend=backend)


def test_a_backend_has_a_thread(cache: WeightCache) -> None:
    with pytest.raises(InvalidArgumentError, match="threads"):
        Backend(cache, threads=0)
    with pytest.raises(TypeError):
        Backend(cache, threads=-1)


def test_files_may_be_in_memory(backend: Backend) -> None:
    program = Program.from_buffer(CASE.program.read_bytes(), "in memory")
    data = [NamedData.from_buffer(bytearray(path.read_bytes())) for path in CASE.data]
    assert program.name == "in memory"
    method = Method(program, backend=backend, data=data)
    program.close()
    for opened in data:
        opened.close()
    del program, data, opened
    CASE.check(method)
    with pytest.raises(TypeError):
        Program.from_buffer("text")  # type: ignore[arg-type]
    with pytest.raises(InvalidFileError, match=r"\(buffer\)"):
        Program.from_buffer(b"x" * 100)


def test_memory_is_held_as_long_as_it_is_used(backend: Backend) -> None:
    memory = bytearray(CASE.program.read_bytes())
    program = Program.from_buffer(memory)
    with pytest.raises(BufferError):
        memory.clear()
    program.close()
    memory.clear()


def test_named_data_is_like_a_dict() -> None:
    foundation, adapter = (NamedData(path) for path in CASE.data)
    merged = NamedData.merge([foundation, adapter])
    assert len(merged) == len(foundation) + len(adapter)
    assert merged.keys() == sorted(foundation.keys() + adapter.keys())
    key = adapter.keys()[0]
    assert key in adapter
    assert key in merged
    assert key not in foundation
    assert 5 not in foundation
    assert list(adapter) == adapter.keys()
    assert dict(adapter).keys() == set(adapter)
    constant = merged[key]
    assert constant.readonly
    assert bytes(constant) in CASE.data[1].read_bytes()
    with pytest.raises(KeyError, match="nothing"):
        foundation["nothing"]
    with pytest.raises(ValueError, match="nothing to merge"):
        NamedData.merge([])
    for data in (foundation, adapter, merged):
        data.close()
    assert len(bytes(constant)) == constant.nbytes  # still mapped


def test_different_bytes_under_one_key_are_a_mismatch() -> None:
    changed = bytearray(CASE.data[0].read_bytes())
    changed[-4096] ^= 1
    with pytest.raises(Error, match=r"changed\.ptd") as raised:
        NamedData.merge([NamedData(CASE.data[0]), NamedData.from_buffer(changed, "changed.ptd")])
    assert raised.value.code == StatusCode.MISMATCH


# ---- Loading


def test_what_a_load_misses_is_named(backend: Backend) -> None:
    program = Program(CASE.program)
    with pytest.raises(NotFoundError, match="nothing") as raised:
        Method(program, "nothing", backend=backend)
    assert not isinstance(raised.value, FileNotFoundError)
    with pytest.raises(LookupError):
        Method(program, backend=backend, data=NamedData(CASE.data[0]))


def test_data_of_another_program_is_refused_by_name(backend: Backend) -> None:
    with pytest.raises(Error, match=r"a0\.pte"):
        Method(Program(CASES / "llm_8da4w/a0.pte"), backend=backend, data=NamedData(CASE.data[0]))


def test_a_limit_of_memory_is_a_memory_error(backend: Backend) -> None:
    with pytest.raises(MemoryError) as raised:
        CASE.load(backend, max_planned_bytes=1)
    assert isinstance(raised.value, OutOfMemoryError)
    assert raised.value.code == StatusCode.RESOURCE_EXHAUSTED


def test_data_is_one_or_several(backend: Backend) -> None:
    program = Program(CASE.program)
    files = [NamedData(path) for path in CASE.data]
    for data in (files, tuple(files), iter(files), NamedData.merge(files)):
        CASE.check(Method(program, backend=backend, data=data))
    with pytest.raises(TypeError, match="NamedData expected"):
        Method(program, backend=backend, data=["x"])  # type: ignore[list-item]


def test_used_keys_are_those_that_loading_asked_for(backend: Backend) -> None:
    files = [NamedData(path) for path in CASE.data]
    base = Method(Program(FOLDER / "base.pte"), backend=backend, data=files)
    assert base.used_keys() == files[0].keys()
    method = Method(Program(CASE.program), backend=backend, data=files)
    assert method.used_keys() == NamedData.merge(files).keys()


def test_verify_keys_finds_a_forged_weight(tmp_path: Path) -> None:
    forged = bytearray(CASE.data[0].read_bytes())
    forged[-4096] ^= 1
    data = [NamedData.from_buffer(forged, "forged.ptd"), NamedData(CASE.data[1])]
    with Program(CASE.program) as program:
        Method(program, backend=Backend(), data=data)
        with pytest.raises(InvalidFileError, match=r"forged\.ptd"):
            Method(program, backend=Backend(verify_keys=True), data=data)


# ---- Closing


def everything(backend: Backend) -> list[Any]:
    program = llm_program("base")
    state = SharedState(program)
    data = llm_data("base")[0]
    return [
        WeightCache(),
        Backend(),
        program,
        data,
        state,
        Method(program, backend=backend, data=data),
        LanguageModel(program, backend=backend, data=data),
        AdapterPool(backend=backend, foundation=data),
    ]


def test_everything_closes(backend: Backend) -> None:
    for opened in everything(backend):
        assert not opened.closed
        with opened as entered:
            assert entered is opened
        assert opened.closed
        opened.close()
        repr(opened)


def test_what_is_closed_says_so(backend: Backend) -> None:
    uses: list[Any] = [
        lambda cache: cache.stats(),
        lambda used: Method(llm_program("base"), backend=used),
        lambda program: program.method_names,
        lambda data: data.keys(),
        lambda state: state.size_bytes,
        lambda method: method(X),
        lambda model: model.append([1]),
        lambda pool: pool.names(),
    ]
    for opened, use in zip(everything(backend), uses):
        opened.close()
        with pytest.raises(ClosedError, match="is closed") as raised:
            use(opened)
        assert isinstance(raised.value, ValueError)
        assert raised.value.code == StatusCode.FAILED_PRECONDITION


def test_objects_are_not_made_without_arguments() -> None:
    with pytest.raises(TypeError):
        Program()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        pickle.dumps(Program(CASE.program))


# ---- The cache


def test_stats_are_frozen(cache: WeightCache) -> None:
    stats = cache.stats()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.bytes = 1  # type: ignore[misc]
    assert stats.misses.total == stats.file.misses.total == 0


def test_retained_weights_are_there_again_and_pruned() -> None:
    with WeightCache(retained_bytes=1 << 20, record_hashes=True, huge_pages=True) as cache:
        backend = Backend(cache, linears=LinearLayout.PACKED)
        CASE.load(backend).close()
        retained = cache.stats().retained_bytes
        assert retained > 0
        CASE.load(backend).close()
        assert cache.stats().hit_bytes == retained
        cache.prune()
        assert cache.stats().bytes == 0


def test_a_packed_file_is_for_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    for is_first in (True, False):
        with WeightCache(packed_file=path, packed_checksums=ChecksumPolicy.AT_OPEN) as cache:
            backend = Backend(cache, linears=LinearLayout.PACKED)
            method = CASE.load(backend)
            cache.flush()
            stats = cache.stats()
            assert (stats.packed_bytes > 0) == is_first
            assert (stats.file.hits > 0) == (not is_first)
            assert stats.file.entries > 0
            assert cache.trouble is None
            CASE.check(method)
    with WeightCache(packed_file=path, packed_read_only=True, packed_max_bytes=1 << 30) as cache:
        CASE.check(CASE.load(Backend(cache, linears=LinearLayout.PACKED)))
        assert cache.stats().file.hits > 0


def test_trouble_with_a_packed_file_is_told_and_harms_nothing(tmp_path: Path) -> None:
    with WeightCache(packed_file=tmp_path / "no folder" / "packed") as cache:
        CASE.check(CASE.load(Backend(cache, linears=LinearLayout.PACKED)))
        with pytest.raises(Error, match="no folder"):
            cache.flush()
        assert isinstance(cache.trouble, Error)
        assert "no folder" in str(cache.trouble)
        assert cache.stats().file.troubles > 0


# ---- State


def test_methods_share_state(backend: Backend) -> None:
    folder = CASES / "shared_state"
    program = Program(folder / "m.pte")
    assert (
        code_of(lambda: Method(program, "prefill", backend=backend))
        == StatusCode.FAILED_PRECONDITION
    )
    rows = {
        number: (
            numpy.fromfile(folder / f"x{number}.bin", numpy.float32).reshape(number, 4),
            numpy.fromfile(folder / f"p{number}.bin", numpy.int64),
        )
        for number in (1, 3)
    }
    state = SharedState(program)
    assert state.size_bytes > 0
    prefill = Method(program, "prefill", backend=backend, shared_state=state)
    decode = Method(program, "decode", backend=backend, shared_state=state)
    state.close()
    alone = decode(*rows[1])[0]
    assert (alone != 0).all()
    # The output is the sum of all rows of the cache, and each of them is the same here.
    numpy.testing.assert_array_equal(prefill(*rows[3])[0], 4 * alone)
    numpy.testing.assert_array_equal(decode(*rows[1])[0], 4 * alone)
    prefill.reset()
    numpy.testing.assert_array_equal(decode(*rows[1])[0], alone)


def test_state_is_saved_and_restored(backend: Backend) -> None:
    case = read_case(CASES / "llm_fp32/base.json")
    method = case.load(backend)
    fresh = method.save_state()
    case.check(method)
    saved = method.save_state()
    assert saved.size_bytes > fresh.size_bytes
    method.restore_state(fresh)
    case.check(method)
    method.reset()
    case.check(method)
    other = CASE.load(backend)
    with pytest.raises(InvalidArgumentError):
        other.restore_state(saved)


# ---- The package


def test_the_version_is_that_of_the_headers() -> None:
    text = (CASES.parents[2] / "include/onepack/version.h").read_text()
    numbers = [
        line.split()[-1]
        for line in text.splitlines()
        if "#define ONEPACK_VERSION_M" in line or "#define ONEPACK_VERSION_P" in line
    ]
    assert onepack.__version__ == ".".join(numbers)


def test_all_that_is_public_is_documented() -> None:
    for name in onepack.__all__:
        public = getattr(onepack, name)
        if name != "__version__":
            assert public.__doc__, name


def test_every_status_code_has_its_class() -> None:
    for code in StatusCode:
        error = onepack.errors._error_of(code, "a message", "", False)
        assert isinstance(error, Error)
        assert error.code == code
        assert str(error) == "a message"


def test_the_module_shows_nothing_but_its_own_door() -> None:
    module = onepack._core.__file__
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", module], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert [line.split()[-1] for line in shown if line] == ["PyInit__core"]


def test_the_library_prints_nothing() -> None:
    script = (
        "import onepack, sys\n"
        f"p = onepack.Program({str(LANGUAGE_MODELS / 'eos_id.pte')!r})\n"
        "m = onepack.LanguageModel(p, backend=onepack.Backend(onepack.WeightCache()))\n"
        "g = m.generate([9], max_new_tokens=2)\n"
        "next(g)\n"
        "sys.exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
