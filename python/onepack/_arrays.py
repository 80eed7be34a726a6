"""For _core: arrays that are not shown by the buffer protocol or DLPack as they are."""

from __future__ import annotations

from typing import NoReturn

import ml_dtypes
import numpy


def dtype_of(name: str) -> numpy.dtype:
    """The dtype that PyTorch calls ``name``."""
    return numpy.dtype(getattr(ml_dtypes, name, name))


def standard(value: object, wanted: numpy.dtype) -> tuple[numpy.ndarray, str]:
    """``value`` as an array that the buffer protocol has, and the name of its dtype where its bytes
    stand for one of ml_dtypes; else "". Lists and numbers, which have no dtype, get ``wanted``."""
    if isinstance(value, (list, tuple, bool, int, float, complex)):
        value = _converted(value, wanted)
    if not isinstance(value, (numpy.ndarray, numpy.generic)):
        _refuse(value)
    array = numpy.asarray(value)
    if not array.dtype.isnative:
        raise TypeError(f"an array of {array.dtype.name} in the byte order of other machines")
    if any(stride % array.itemsize for stride in array.strides if array.itemsize):
        array = array.copy()  # a field of a structured array, for instance
    if array.dtype.isbuiltin == 2:  # registered by ml_dtypes: no buffer has such
        return array.view(f"u{array.dtype.itemsize}"), array.dtype.name
    return array, ""


def _converted(value: object, wanted: numpy.dtype) -> numpy.ndarray:
    """Numbers as ``wanted``, when that is of their kind or a wider one: 1 is a float, 1.5 no int."""
    found = numpy.asarray(value)
    if found.size > 0 and _width(found.dtype) > _width(wanted):
        name = found.dtype.type.__name__
        raise TypeError(f"{name} in a {type(value).__name__}, where {wanted} is expected")
    return numpy.asarray(value, wanted)


def _width(dtype: numpy.dtype) -> int:
    """How much of all numbers its kind has."""
    if dtype.isbuiltin == 2:  # ml_dtypes
        return 2
    return {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}.get(dtype.kind, 4)


def _refuse(value: object) -> NoReturn:
    refused = TypeError(f"{type(value).__name__}, where an array is expected")
    if hasattr(value, "__dlpack__"):
        try:
            value.__dlpack__()
        except Exception as error:
            raise refused from error  # what it says itself
    raise refused
