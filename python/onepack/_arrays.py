"""For _core: arrays that are not shown by the buffer protocol or DLPack as they are."""

from __future__ import annotations

import ml_dtypes
import numpy


def dtype_of(name: str) -> numpy.dtype:
    """The dtype that PyTorch calls ``name``."""
    return numpy.dtype(getattr(ml_dtypes, name, name))


def standard(value: object, wanted: numpy.dtype) -> tuple[numpy.ndarray, str]:
    """``value`` as an array that the buffer protocol has, and the name of its dtype where its bytes
    stand for one of ml_dtypes; else "". Lists and numbers, which have no dtype, get ``wanted``."""
    if isinstance(value, (list, tuple, bool, int, float, complex)):
        value = numpy.asarray(value, wanted)
    if not isinstance(value, (numpy.ndarray, numpy.generic)):
        raise TypeError(f"{type(value).__name__}, where an array is expected")
    array = numpy.asarray(value)
    if array.dtype.isbuiltin == 2:  # registered by ml_dtypes: no buffer has such
        return array.view(f"u{array.dtype.itemsize}"), array.dtype.name
    return array, ""
