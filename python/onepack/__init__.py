"""onepack: programs that the ExecuTorch exporter wrote, with weights shared across them.

    cache = onepack.WeightCache()
    backend = onepack.Backend(cache)
    program = onepack.Program("lora0.pte")
    data = [onepack.NamedData("foundation.ptd"), onepack.NamedData("lora0.ptd")]
    method = onepack.Method(program, "forward", backend=backend, data=data)
    (y,) = method(x)

Whatever holds files or memory has close() and may stand in a ``with`` statement; objects may be
closed and forgotten in any order, because each keeps what it needs.
"""

from onepack._core import (
    Backend,
    ChecksumPolicy,
    LinearLayout,
    Method,
    MethodState,
    NamedData,
    Program,
    SavedContext,
    SharedState,
    StatusCode,
    StopReason,
    WeightCache,
    context_bytes,
    thread_pool_suits_busy_machines,
)
from onepack._core import version as __version__
from onepack.adapter_pool import AdapterPool
from onepack.errors import (
    CancelledError,
    ClosedError,
    Error,
    FileAccessError,
    InvalidArgumentError,
    InvalidFileError,
    NoSuchFileError,
    NotFoundError,
    OutOfMemoryError,
)
from onepack.generation import Generation, Sampling
from onepack.language_model import LanguageModel
from onepack.records import (
    GenerateResult,
    LoadProgress,
    ModelInfo,
    PackedFileMisses,
    PackedFileStats,
    ValueInfo,
    WeightCacheMisses,
    WeightCacheStats,
)

__all__ = [
    "AdapterPool",
    "Backend",
    "CancelledError",
    "ChecksumPolicy",
    "ClosedError",
    "Error",
    "FileAccessError",
    "GenerateResult",
    "Generation",
    "InvalidArgumentError",
    "InvalidFileError",
    "LanguageModel",
    "LinearLayout",
    "LoadProgress",
    "Method",
    "MethodState",
    "ModelInfo",
    "NamedData",
    "NoSuchFileError",
    "NotFoundError",
    "OutOfMemoryError",
    "PackedFileMisses",
    "PackedFileStats",
    "Program",
    "Sampling",
    "SavedContext",
    "SharedState",
    "StatusCode",
    "StopReason",
    "ValueInfo",
    "WeightCache",
    "WeightCacheMisses",
    "WeightCacheStats",
    "__version__",
    "context_bytes",
    "thread_pool_suits_busy_machines",
]
