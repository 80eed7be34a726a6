"""onepack's XNNPACK backend in place of ExecuTorch's own.

Import this before anything of ``executorch`` that loads programs; nothing else changes::

    import onepack_executorch
    from executorch.runtime import Runtime

Programs that refer to the same weights then share them, packed once or used where the file has
them. ``stats()`` says what the cache holds, ``set_options()`` sets what ExecuTorch's own backend
calls its backend options.

Threads: all functions may be called from any thread.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

__all__ = ["cmake_dir", "library_dir", "set_options", "stats"]

#: Folder of the libraries: in LD_LIBRARY_PATH it has programs that are not Python's use them, too.
library_dir: Path = Path(__file__).resolve().parent
#: Folder of the CMake package: in CMAKE_PREFIX_PATH find_package(onepack_executorch) finds it.
cmake_dir: Path = library_dir / "cmake"


class _Stat(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_uint64)]


_TYPES = {
    "weight_cache_enabled": bool,
    "workspace_sharing_mode": int,
    "packed_cache_path": str,
    "save_weight_cache_on_disk": bool,
    "retained_mebibytes": int,
    "linears": str,
}


def _mapped_backends() -> list[str]:
    """The libraries of this process that have the name of ExecuTorch's XNNPACK backend."""
    paths = set()
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.partition("/")[2]
        if path.endswith("/libexecutorch_backend_xnnpack.so"):
            paths.add("/" + path)
    return sorted(paths)


def _open() -> ctypes.CDLL:
    before = _mapped_backends()
    try:
        library = ctypes.CDLL(str(library_dir / "libexecutorch_backend_xnnpack.so"))
    except OSError as error:
        raise ImportError(
            f"onepack_executorch: {error}. It needs the package executorch beside it, in {library_dir.parent}"
        ) from error
    library.onepack_executorch_open.restype = ctypes.c_char_p
    library.onepack_executorch_stats.restype = ctypes.c_size_t
    library.onepack_executorch_stats.argtypes = [ctypes.POINTER(_Stat), ctypes.c_size_t]
    library.onepack_executorch_set_bool.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.onepack_executorch_set_int.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.onepack_executorch_set_text.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    if not library.onepack_executorch_is_registered():
        raise ImportError(
            "onepack_executorch was imported too late: ExecuTorch has the XNNPACK backend of "
            f"{', '.join(before) or 'another library'} already. Import onepack_executorch before "
            "executorch, in a new process"
        )
    message = library.onepack_executorch_open()
    if message is not None:
        raise ImportError(f"onepack_executorch: {message.decode(errors='replace')}")
    return library


_library = _open()


def stats() -> dict[str, int]:
    """What the weight caches hold now, and what they have served since the process began.

    Sizes are in bytes, times in nanoseconds. ``bytes`` is packed weights in memory, ``hits`` how
    often a load found a weight there, ``in_place_bytes`` weights that are used where they are.
    """
    count = _library.onepack_executorch_stats(None, 0)
    figures = (_Stat * count)()
    count = min(count, _library.onepack_executorch_stats(figures, count))
    return {figures[i].name.decode(): figures[i].value for i in range(count)}


def set_options(**options: bool | int | str) -> None:
    """Sets options of the backend, for programs that are loaded from now on.

    weight_cache_enabled (bool): whether programs share packed weights; True unless it is set.
    packed_cache_path (str): the packed file, in which packed weights are kept for the next start.
    save_weight_cache_on_disk (bool): True waits until all that was packed is in that file.
    retained_mebibytes (int): how much is kept of packed weights that no program uses any more.
    linears (str): what linear layers run over: "packed" weights, weights "in-place", as the files
        have them, or "auto", which is what was measured to be faster. A packed file and
        retained_mebibytes are for packed ones.
    workspace_sharing_mode (int): 0, 1 or 2; accepted, and of no effect.

    Raises TypeError for an option that there is none of, or a value of another type, ValueError for
    a value that is refused. Options are set in the given order until one is refused.
    """
    for name, value in options.items():
        expected = _TYPES.get(name)
        if expected is None:
            raise TypeError(f"there is no option {name!r}: {', '.join(_TYPES)}")
        if type(value) is not expected:
            raise TypeError(f"option {name!r}: {expected.__name__} expected, {value!r} given")
        if expected is int and not 0 <= value < 2**31 or expected is str and "\0" in value:
            raise ValueError(f"option {name!r}: {value!r} is refused")
        if expected is bool:
            error = _library.onepack_executorch_set_bool(name.encode(), value)
        elif expected is int:
            error = _library.onepack_executorch_set_int(name.encode(), value)
        else:
            error = _library.onepack_executorch_set_text(name.encode(), value.encode())
        if error != 0:
            raise ValueError(f"option {name!r}: {value!r} is refused (ExecuTorch's error {error:#x})")
