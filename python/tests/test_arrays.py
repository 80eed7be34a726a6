"""What goes into a method, and what comes out."""

from __future__ import annotations

import array
import gc
import weakref
from typing import Any

import ml_dtypes
import numpy
import pytest
from recorded import CASES, CONFORMANCE, LANGUAGE_MODELS, read_case

from onepack import Backend, InvalidArgumentError, Method, Program, StatusCode

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
    ],
    ids=["numpy", "dlpack", "buffer", "list", "fortran", "strided", "reversed"],
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
        (X[:, :63], None, "63"),
        (numpy.zeros((65, 64), numpy.float32), InvalidArgumentError, "65"),
        ("text", TypeError, "input 0: str"),
        (None, TypeError, "input 0: NoneType"),
        (numpy.array(["a"]), TypeError, "input 0: "),
    ],
    ids=["dtype", "rank", "channels", "rows", "str", "None", "strings"],
)
def test_a_wrong_input_is_refused(method: Method, wrong: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind or Exception, match=message):
        method(wrong)
    assert method(X)[0].shape == (1, 64)  # and can be used again


def test_the_number_of_inputs_counts(method: Method) -> None:
    for inputs in ((), (X, X)):
        with pytest.raises(TypeError, match=f"{len(inputs)} inputs, where 1"):
            method(*inputs)


def test_an_empty_dimension_is_no_crash(method: Method) -> None:
    try:
        (found,) = method(X[:0])
    except Exception as error:  # noqa: BLE001  (which one is the program's matter)
        assert getattr(error, "code", None) != StatusCode.INTERNAL
    else:
        assert found.shape == (0, 64)


def test_a_method_says_what_it_reads_and_writes(method: Method) -> None:
    for value in (*method.inputs, *method.outputs):
        assert value.kind == "tensor"
        assert value.dtype == numpy.float32
        assert value.shape == (64, 64)
        assert value.is_dynamic
