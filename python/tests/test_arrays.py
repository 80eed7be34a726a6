"""What goes into a method, and what comes out."""

from __future__ import annotations

import array
import gc
import itertools
import weakref
from typing import Any

import ml_dtypes
import numpy
import pytest
from recorded import CASES, CONFORMANCE, LANGUAGE_MODELS, read_case

from onepack import Backend, Error, InvalidArgumentError, Method, Program

X = numpy.linspace(-1, 1, 64, dtype=numpy.float32).reshape(1, 64)


@pytest.fixture
def method(backend: Backend) -> Method:
    return read_case(CASES / "lora_fp32/base.json").load(backend)


def address(value: Any) -> int:
    return int(value.__array_interface__["data"][0])


class OnlyDlpack:
    """An array of another library."""

    def __init__(self, wrapped: numpy.ndarray) -> None:
        self._wrapped = wrapped

    def __dlpack__(self, **options: Any) -> Any:
        return self._wrapped.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@pytest.mark.parametrize(
    "same",
    [
        lambda x: x,
        OnlyDlpack,
        memoryview,
        lambda x: x.tolist(),
        lambda x: numpy.asfortranarray(numpy.repeat(x, 2, 0))[::2],
        lambda x: numpy.repeat(x, 2, 1)[:, ::2],
        lambda x: numpy.ascontiguousarray(x[:, ::-1])[:, ::-1],
        lambda x: x.astype([("pad", "u1"), ("x", "f4")])["x"],
    ],
    ids=["numpy", "dlpack", "buffer", "list", "fortran", "strided", "reversed", "field"],
)
def test_whatever_is_an_array_goes_in(method: Method, same: Any) -> None:
    (expected,) = method(X)
    (found,) = method(same(X))
    numpy.testing.assert_array_equal(found, expected)


def test_a_read_only_array_goes_in(method: Method) -> None:
    frozen = X.copy()
    frozen.flags.writeable = False
    numpy.testing.assert_array_equal(method(frozen)[0], method(X)[0])


def test_what_has_a_buffer_and_no_dlpack_goes_in(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "add_f32.json")
    method = case.load(backend)
    shape = case.calls[0].inputs[0].shape
    inputs = [array.array("f", x.ravel()) for x in case.calls[0].inputs]
    given = [memoryview(x).cast("B").cast("f", shape) for x in inputs]
    case.check_output(method(*given)[0], case.calls[0].outputs[0])


def test_an_array_that_lies_right_is_read_where_it_is(method: Method) -> None:
    x = numpy.zeros((4, 64), numpy.float32)
    for same in (x, OnlyDlpack(x), x.data):
        assert method._address_of_input(same) == address(x)
    assert method._address_of_input(x[1:3]) == address(x) + 256
    assert method._address_of_input(x[1:2, :]) == address(x) + 256
    for other in (numpy.asfortranarray(x), x[::2], x[:, ::-1]):
        start = address(other)
        assert not start <= method._address_of_input(other) < start + x.nbytes


def test_an_array_in_another_dim_order_is_read_where_it_is(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "conv2d_channels_last_f32.json")
    method = case.load(backend)
    x = case.calls[0].inputs[0]
    assert method._address_of_input(x) == address(x)
    assert method._address_of_input(numpy.ascontiguousarray(x)) != address(x)


def test_bfloat16_is_read_where_it_is(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "add_relu_bf16.json")
    x = case.calls[0].inputs[0]
    assert case.load(backend)._address_of_input(x) == address(x)


def test_outputs_own_their_memory(method: Method) -> None:
    (first,) = method(X)
    kept = first.copy()
    (second,) = method(-X)
    assert address(first) != address(second)
    numpy.testing.assert_array_equal(first, kept)
    assert first.flags.writeable
    method.close()
    numpy.testing.assert_array_equal(first, kept)


def test_views_are_the_methods_memory_until_the_next_run(method: Method) -> None:
    (first,) = method(X, copy=False)
    assert not first.flags.writeable
    before = first.copy()
    (second,) = method(-X, copy=False)
    assert address(first) == address(second)
    numpy.testing.assert_array_equal(first, second)
    assert not numpy.array_equal(first, before)


def test_views_keep_the_method_alive(method: Method, cache: Any) -> None:
    (view,) = method(X, copy=False)
    kept = view.copy()
    method.close()
    assert cache.stats().pins > 0
    numpy.testing.assert_array_equal(view, kept)
    del view
    gc.collect()
    assert cache.stats().pins == 0


def test_inputs_are_let_go(method: Method) -> None:
    x = X.copy()
    seen = weakref.ref(x)
    method(x)
    del x
    assert seen() is None


def test_bfloat16_is_that_of_ml_dtypes(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "add_relu_bf16.json")
    method = case.load(backend)
    assert method.inputs[0].dtype == ml_dtypes.bfloat16
    (found,) = method(*case.calls[0].inputs)
    assert found.dtype == ml_dtypes.bfloat16
    strided = [numpy.repeat(x, 2, -1)[..., ::2] for x in case.calls[0].inputs]
    numpy.testing.assert_array_equal(method(*strided)[0], found)
    with pytest.raises(InvalidArgumentError, match="uint16, where bfloat16"):
        method(*[x.view(numpy.uint16) for x in case.calls[0].inputs])


def test_dims_may_lie_in_another_order(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "conv2d_channels_last_f32.json")
    method = case.load(backend)
    call = case.calls[0]
    (found,) = method(*call.inputs)  # lies as the input does
    (again,) = method(*[numpy.ascontiguousarray(x) for x in call.inputs])
    numpy.testing.assert_array_equal(found, again)
    case.check_output(found, call.outputs[0])


def test_numbers_go_in_and_out(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "int_scalar_input_f32.json")
    method = case.load(backend)
    kinds = [value.kind for value in method.inputs]
    assert "int" in kinds
    index = kinds.index("int")
    inputs = list(case.calls[0].inputs)
    case.check_output(method(*inputs)[0], case.calls[0].outputs[0])
    inputs[index] = numpy.int32(inputs[index])
    case.check_output(method(*inputs)[0], case.calls[0].outputs[0])
    for wrong, kind in ((1.5, TypeError), ("2", TypeError), (2**70, InvalidArgumentError)):
        inputs[index] = wrong
        with pytest.raises(kind, match=f"input {index}: "):
            method(*inputs)


def test_a_method_without_inputs_gives_numbers(backend: Backend) -> None:
    with Program(LANGUAGE_MODELS / "eos_ids.pte") as program:
        assert "get_eos_ids" in program.method_names
        assert Method(program, "get_eos_ids", backend=backend)() == (58, 63)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (X.astype(numpy.float64), InvalidArgumentError, "float64, where float32"),
        (X[0], InvalidArgumentError, "1 dimensions, where 2"),
        (X[:, :63], Error, "an input of 63 channels for a filter of 64"),
        (numpy.zeros((65, 64), numpy.float32), InvalidArgumentError, "is 65, where at most 64"),
        (
            numpy.broadcast_to(numpy.float32(0), (2**31 - 1, 2**20)),
            InvalidArgumentError,
            "input 0: an array whose dimension 0 is 2147483647",
        ),
        (X[0, 0], InvalidArgumentError, "0 dimensions, where 2"),
        (X.astype(">f4"), TypeError, "input 0: .* byte order"),
        (X.astype("<f8").tolist() + [[1.0]], ValueError, "input 0: "),
        ([["1.5"] * 64], TypeError, "input 0: str_ in a list, where float32"),
        ([[1j] * 64], TypeError, "input 0: complex128 in a list, where float32"),
        ("text", TypeError, "input 0: str"),
        (None, TypeError, "input 0: NoneType"),
        (numpy.array(["a"]), TypeError, "input 0: "),
    ],
    ids=[
        *("dtype", "rank", "channels", "rows", "huge", "scalar", "byte order", "ragged"),
        *("list of str", "list of complex", "str", "None", "strings"),
    ],
)
def test_a_wrong_input_is_refused(method: Method, wrong: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        method(wrong)
    assert method(X)[0].shape == (1, 64)  # and can be used again


def test_the_number_of_inputs_counts(method: Method) -> None:
    for inputs in ((), (X, X)):
        with pytest.raises(TypeError, match=f"{len(inputs)} inputs, where 1"):
            method(*inputs)


def test_an_empty_dimension_is_no_crash(method: Method) -> None:
    (found,) = method(X[:0])
    assert found.shape == (0, 64)


def test_a_list_has_numbers_of_the_inputs_kind(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "embedding_linear_f32.json")
    method = case.load(backend)
    indices = case.calls[0].inputs[0]
    (found,) = method(indices.tolist())
    case.check_output(found, case.calls[0].outputs[0])
    method((indices > 0).tolist())
    for wrong in (1.9, "1", None):
        with pytest.raises(TypeError, match="input 0: .* in a list, where int64"):
            method([[wrong] * 4] * 2)
    with pytest.raises(InvalidArgumentError, match="dimension 1 is 5, where 4 is"):
        method([[1] * 5] * 2)
    case = read_case(CONFORMANCE / "int8_add.json")
    method = case.load(backend)
    inputs = [x.tolist() for x in case.calls[0].inputs]
    case.check_output(method(*inputs)[0], case.calls[0].outputs[0])
    inputs[0][0][0] = 128
    with pytest.raises(OverflowError, match="input 0: "):
        method(*inputs)


def test_what_has_no_dimensions_is_a_number_or_an_array(backend: Backend) -> None:
    case = read_case(CONFORMANCE / "rank0_f32.json")
    method = case.load(backend)
    inputs = case.calls[0].inputs
    forms: list[Any] = [lambda x: x, float, lambda x: x[()], OnlyDlpack]
    for form in forms:
        (found,) = method(*[form(x) for x in inputs])
        assert isinstance(found, numpy.ndarray)
        case.check_output(found, case.calls[0].outputs[0])
    with pytest.raises(InvalidArgumentError, match="1 dimensions, where 0"):
        method(*[x.reshape(1) for x in inputs])


def test_an_array_that_steps_through_all_dims_goes_in(backend: Backend) -> None:
    """As a copy, row by row or item by item."""
    case = read_case(CONFORMANCE / "conv2d_channels_last_f32.json")
    method = case.load(backend)
    x = case.calls[0].inputs[0]
    (expected,) = method(x)
    for axes in itertools.permutations(range(4)):
        lies_so = numpy.ascontiguousarray(x.transpose(axes)).transpose(numpy.argsort(axes))
        numpy.testing.assert_array_equal(method(lies_so)[0], expected)
    padded = numpy.zeros([size + 1 for size in x.shape], numpy.float32)
    padded[1:, 1:, 1:, 1:] = x
    numpy.testing.assert_array_equal(method(padded[1:, 1:, 1:, 1:])[0], expected)


def test_what_dlpack_says_is_told(method: Method) -> None:
    class Refuses(OnlyDlpack):
        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("mine")

    with pytest.raises(TypeError, match="input 0: Refuses, where an array") as raised:
        method(Refuses(X))
    cause = raised.value.__cause__
    assert cause is not None
    assert str(cause.__cause__) == "mine"


def test_the_door_of_these_tests_has_a_lock(backend: Backend, method: Method) -> None:
    with pytest.raises(IndexError):
        method._address_of_input(X, 1)
    case = read_case(CONFORMANCE / "int_scalar_input_f32.json")
    other = case.load(backend)
    index = [value.kind for value in other.inputs].index("int")
    with pytest.raises(TypeError, match="no tensor"):
        other._address_of_input(X, index)


def test_a_method_says_what_it_reads_and_writes(method: Method) -> None:
    for value in (*method.inputs, *method.outputs):
        assert value.kind == "tensor"
        assert value.dtype == numpy.float32
        assert value.shape == (64, 64)
        assert value.is_dynamic
