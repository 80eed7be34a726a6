"""What the server has done, and what it holds, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from onepack import PackedFileStats, WeightCacheStats
from onepack.serve.answer import End
from onepack.serve.engine import Engine
from onepack.serve.process_memory import ProcessMemory

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Threads: any.

    Names of models become labels, so only those of models that are or were served do.
    """

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Now(engine))
        self._requests = self._counter(
            "requests", "Requests that were answered.", "endpoint", "model", "status"
        )
        self._answers = self._counter(
            "answers", "Answers that have ended, and how.", "model", "outcome"
        )
        self._prompt_tokens = self._counter("prompt_tokens", "Of prompts.", "model")
        self._completion_tokens = self._counter("completion_tokens", "New ones.", "model")
        self._decode_tokens = self._counter(
            "decode_tokens", "New ones but for the first of each answer.", "model"
        )
        self._decode_seconds = self._counter(
            "decode_seconds", "That the model took for decode_tokens.", "model"
        )
        self._tokens_per_second = Gauge(
            "onepack_tokens_per_second",
            "Of the model, in its last answer, after the first token.",
            ["model"],
            registry=self._registry,
        )
        self._queue = self._histogram("queue_seconds", "Until the model began.")
        self._first_token = self._histogram(
            "time_to_first_token_seconds", "From the request to the first token."
        )

    def observe(self, end: End) -> None:
        self._answers.labels(end.model, end.outcome.value).inc()
        self._prompt_tokens.labels(end.model).inc(end.prompt_tokens)
        self._completion_tokens.labels(end.model).inc(end.completion_tokens)
        self._queue.labels(end.model).observe(end.queue_seconds)
        if end.first_token_seconds is not None:
            self._first_token.labels(end.model).observe(end.first_token_seconds)
        if end.decode_seconds > 0:
            self._decode_tokens.labels(end.model).inc(end.decode_tokens)
            self._decode_seconds.labels(end.model).inc(end.decode_seconds)
            self._tokens_per_second.labels(end.model).set(end.decode_tokens / end.decode_seconds)

    def count_request(self, endpoint: str, model: str, status: int) -> None:
        self._requests.labels(endpoint, model, str(status)).inc()

    def render(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"onepack_{name}", about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str) -> Histogram:
        return Histogram(
            f"onepack_{name}", about, ["model"], registry=self._registry, buckets=_SECONDS
        )


class _Now(Collector):
    """What is asked for when somebody looks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        scheduler = self._engine.scheduler
        yield _gauge("running", "Answers that a model is making.", scheduler.running)
        yield _gauge("waiting", "Requests in the queue.", scheduler.waiting)
        yield _gauge("parallel", "The most answers at a time.", scheduler.parallel)
        yield _gauge("queue_limit", "The most requests in the queue.", scheduler.queue_limit)
        yield self._model_memory()
        memory = ProcessMemory.now()
        yield _gauge("process_anonymous_bytes", "Memory of its own.", memory.anonymous_bytes)
        yield _gauge("process_file_bytes", "Pages of files.", memory.file_bytes)
        stats = self._engine.models.cache.stats()
        yield from _cache_levels(stats)
        yield from _cache_events(stats)
        yield from _packed_file(stats.file)

    def _model_memory(self) -> Metric:
        family = GaugeMetricFamily(
            "onepack_model_weight_bytes",
            "Of weights that were not there before the model.",
            labels=["model", "kind"],
        )
        for model in self._engine.models.all():
            family.add_metric([model.name, "packed"], model.memory.packed_bytes)
            family.add_metric([model.name, "in_place"], model.memory.in_place_bytes)
            family.add_metric([model.name, "copied"], model.memory.copied_bytes)
            family.add_metric([model.name, "files"], model.memory.file_bytes)
        return family


def _cache_levels(stats: WeightCacheStats) -> Iterator[Metric]:
    yield _gauge("cache_entries", "Shared weights.", stats.entries)
    yield _gauge("cache_bytes", "Of packed weights.", stats.bytes)
    yield _gauge("cache_private_bytes", "Of them, those that no other shares.", stats.private_bytes)
    yield _gauge("cache_retained_bytes", "Of them, those that nobody uses.", stats.retained_bytes)
    yield _gauge("cache_file_bytes", "Of them, pages of the packed file.", stats.file_bytes)
    yield _gauge("cache_in_place_bytes", "Of weights used as stored.", stats.in_place_bytes)
    yield _gauge("cache_copied_bytes", "Of weights used as stored, copied.", stats.copied_bytes)
    yield _gauge("cache_pins", "Uses of weights by models.", stats.pins)
    yield _gauge("cache_heap_bytes", "Address space for packed weights.", stats.heap_bytes)


def _cache_events(stats: WeightCacheStats) -> Iterator[Metric]:
    yield _counter("cache_hits", "Weights that a load needed and found.", stats.hits)
    yield _counter("cache_hit_bytes", "Of them.", stats.hit_bytes)
    yield _counter("cache_misses", "Weights that a load did not find.", stats.misses.total)
    yield _counter("cache_packed_bytes", "Of weights that were packed.", stats.packed_bytes)
    yield _counter("cache_packing_seconds", "Of all threads.", stats.packing_ns / 1e9)
    yield _counter("cache_evictions", "Retained weights that were dropped.", stats.evictions)


def _packed_file(stats: PackedFileStats) -> Iterator[Metric]:
    yield _gauge("packed_file_bytes", "Of the packed file.", stats.file_bytes)
    yield _counter("packed_file_hits", "Weights that were found there.", stats.hits)
    yield _counter("packed_file_misses", "Weights that were not.", stats.misses.total)
    yield _counter("packed_file_written_bytes", "Of weights.", stats.written_bytes)
    yield _counter("packed_file_troubles", "How often it could not be used.", stats.troubles)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"onepack_{name}", about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"onepack_{name}", about, value=value)
