"""What onepack tells: plain values that never change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from onepack._core import StopReason


@dataclass(frozen=True)
class WeightCacheMisses:
    """Why look-ups found nothing, nearest reason first."""

    absent: int
    """No weight of this name and size is here."""
    other_content: int
    """One is, with other bytes (or they could not be compared)."""
    other_quantization: int
    """The same bytes, with other scales, zero points, datatype or dims."""
    other_layout: int
    """The same weight, packed for another operator or kernel."""

    @property
    def total(self) -> int:
        return self.absent + self.other_content + self.other_quantization + self.other_layout


@dataclass(frozen=True)
class PackedFileMisses:
    """Why look-ups found nothing in the packed file."""

    absent: int
    """The file does not have this weight."""
    other_layout: int
    """Packed by another XNNPACK, or for another processor."""
    damaged: int
    """Its bytes are not what they were."""

    @property
    def total(self) -> int:
        return self.absent + self.other_layout + self.damaged


@dataclass(frozen=True)
class PackedFileStats:
    """Of the packed file: what is in it now, and what was done with it since the cache was made."""

    file_bytes: int
    """Of the file, as it was last looked at."""
    dead_bytes: int
    """Of them, what no entry takes."""
    entries: int
    """In the file."""
    pending: int
    """Packed weights that have still to be written."""
    hits: int
    """Weights that were not in memory, and found here."""
    hit_bytes: int
    misses: PackedFileMisses
    hashed_bytes: int
    """Of raw weights, to see whether they are known."""
    written: int
    """Packed weights."""
    written_bytes: int
    troubles: int
    """How often the file could not be used or written; WeightCache.trouble is the first."""


@dataclass(frozen=True)
class WeightCacheStats:
    """Of a weight cache: what it holds now, and what it did since it was made."""

    entries: int
    """Shared ones."""
    bytes: int
    """Of packed weights, shared and private."""
    private_bytes: int
    """Of them, those that no other program can find."""
    retained_bytes: int
    """Of them, those that no program uses."""
    file_bytes: int
    """Of them, those that are pages of the packed file."""
    in_place_bytes: int
    """Besides ``bytes``: weights used where they are stored, at no cost."""
    copied_bytes: int
    """Besides ``bytes``: weights used as stored that had to be read into memory."""
    pins: int
    """Uses of entries by loaded methods."""
    heap_bytes: int
    """Address space taken from the system for ``bytes``."""
    hits: int
    """Weights that a load needed, and that were there."""
    hit_bytes: int
    misses: WeightCacheMisses
    packed_bytes: int
    """Shared and private."""
    packing_ns: int
    """Nanoseconds that packing took, summed over threads."""
    waits: int
    """Look-ups that waited for another load's packing."""
    wait_ns: int
    evictions: int
    """Retained entries that were dropped."""
    lock_count: int
    """How often the cache's lock was taken."""
    file: PackedFileStats


@dataclass(frozen=True)
class LoadProgress:
    """How far a load is. ``bar.total = p.expected_bytes; bar.update(p.served_bytes - bar.n)``
    shows it with tqdm."""

    program: str
    """The program's file."""
    served_bytes: int
    """Of raw weights, packed now or found packed."""
    expected_bytes: int
    """When all of the method is loaded."""


@dataclass(frozen=True)
class ValueInfo:
    """What a method reads or writes in one place."""

    kind: str
    """"tensor", "int", "double", "bool", "string" and so on."""
    dtype: numpy.dtype | None
    """Of a tensor; of quantized ones the integers that their bytes are."""
    shape: tuple[int, ...] | None
    """Of a tensor: the most that each dimension may be, and what it is unless ``is_dynamic``."""
    is_dynamic: bool
    """Whether a tensor's sizes may be less than ``shape``."""


@dataclass(frozen=True)
class ModelInfo:
    """What a language model says of itself; 0, -1 or empty where it does not."""

    max_seq_len: int
    """Tokens of one call, or of a context."""
    max_context_len: int
    """Tokens of prompt and answer together."""
    vocab_size: int
    bos_id: int
    eos_ids: tuple[int, ...]
    """Each ends an answer."""
    use_kv_cache: bool
    ignored: tuple[str, ...]
    """One line for each thing that it says and that means nothing here."""


@dataclass(frozen=True)
class GenerateResult:
    """An answer that has ended."""

    tokens: tuple[int, ...]
    """The new ones, a stop token included."""
    stop_reason: StopReason
    prefill_seconds: float
    """From the call to the first token; callbacks are not counted."""
    decode_seconds: float
    """From there to the last."""
    prefill_tokens: int
    """Of the prompt, those that were read."""
    decode_tokens: int
    """All new ones but the first."""
