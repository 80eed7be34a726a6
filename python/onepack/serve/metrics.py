"""What the server has done, and what it holds, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
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
        self._rates: dict[str, float] = {}  # tokens per second, of each model's last answer
        self._registry.register(_Now(engine, self._rates))
        self._requests = self._counter(
            "requests", "Requests that were answered.", "endpoint", "model", "status"
        )
        self._answers = self._counter(
            "answers", "Answers that have ended, and how.", "model", "outcome"
        )
        self._prompt_tokens = self._counter(
            "prompt_tokens", "Tokens of prompts that a model began to read.", "model"
        )
        self._reused_tokens = self._counter(
            "prompt_tokens_reused",
            "Tokens among prompt_tokens that were in a kept context, and not read again.",
            "model",
        )
        self._completion_tokens = self._counter("completion_tokens", "Tokens of answers.", "model")
        self._decode_tokens = self._counter(
            "decode_tokens", "Tokens of answers, without the first of each.", "model"
        )
        self._decode_seconds = self._counter(
            "decode_seconds", "Seconds that models took for decode_tokens.", "model"
        )
        self._queue = self._histogram(
            "queue_seconds", "Seconds from the request to the model's first call."
        )
        self._first_token = self._histogram(
            "time_to_first_token_seconds", "Seconds from the request to the first token."
        )

    def observe(self, end: End) -> None:
        self._answers.labels(end.model, end.outcome.value).inc()
        if end.queue_seconds is not None:
            self._queue.labels(end.model).observe(end.queue_seconds)
            self._prompt_tokens.labels(end.model).inc(end.prompt_tokens)
            self._reused_tokens.labels(end.model).inc(end.reused_tokens)
        self._completion_tokens.labels(end.model).inc(end.completion_tokens)
        if end.first_token_seconds is not None:
            self._first_token.labels(end.model).observe(end.first_token_seconds)
        if end.decode_seconds > 0:
            self._decode_tokens.labels(end.model).inc(end.decode_tokens)
            self._decode_seconds.labels(end.model).inc(end.decode_seconds)
            self._rates[end.model] = end.decode_tokens / end.decode_seconds

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
    """What is read when somebody looks: of the models that are served now."""

    def __init__(self, engine: Engine, rates: Mapping[str, float]) -> None:
        self._engine = engine
        self._rates = rates

    def collect(self) -> Iterator[Metric]:
        scheduler = self._engine.scheduler
        yield _gauge("running", "Answers that models are making now.", scheduler.running)
        yield _gauge("waiting", "Requests in the queue, of all models together.", scheduler.waiting)
        yield _gauge("parallel", "The most answers that models make at a time.", scheduler.parallel)
        yield _gauge("queue_limit", "The most requests in the queue.", scheduler.queue_limit)
        yield from self._contexts()
        yield self._model_memory()
        yield self._tokens_per_second()
        memory = ProcessMemory.now()
        yield _gauge(
            "process_anonymous_bytes",
            "Anonymous memory of the process that is resident.",
            memory.anonymous_bytes,
        )
        yield _gauge(
            "process_file_bytes",
            "Pages of files that the process has mapped and are resident.",
            memory.file_bytes,
        )
        stats = self._engine.models.cache.stats()
        yield from _cache_levels(stats)
        yield from _cache_events(stats)
        yield from _packed_file(stats.file)

    def _contexts(self) -> Iterator[Metric]:
        kept = self._engine.models.contexts.kept()
        yield _gauge("contexts", "Contexts that are kept of prompts, of all models.", kept.count)
        yield _gauge("context_bytes", "Memory that they take.", kept.bytes)
        yield _gauge(
            "context_limit_bytes",
            "The most memory that they may take.",
            self._engine.models.contexts.limits.bytes,
        )
        yield _counter(
            "contexts_given_back",
            "Contexts that were given back for the limits, or because memory was short.",
            kept.given_back,
        )

    def _model_memory(self) -> Metric:
        family = GaugeMetricFamily(
            "onepack_model_weight_bytes",
            "Bytes of weights that were not there before the model was loaded.",
            labels=["model", "kind"],
        )
        for model in self._engine.models.all():
            family.add_metric([model.name, "packed"], model.memory.packed_bytes)
            family.add_metric([model.name, "in_place"], model.memory.in_place_bytes)
            family.add_metric([model.name, "copied"], model.memory.copied_bytes)
            family.add_metric([model.name, "files"], model.memory.file_bytes)
        return family

    def _tokens_per_second(self) -> Metric:
        family = GaugeMetricFamily(
            "onepack_tokens_per_second",
            "Tokens per second of the model's last answer, after the first token.",
            labels=["model"],
        )
        for model in self._engine.models.all():
            if (rate := self._rates.get(model.name)) is not None:
                family.add_metric([model.name], rate)
        return family


def _cache_levels(stats: WeightCacheStats) -> Iterator[Metric]:
    yield _gauge("cache_entries", "Weights in the cache.", stats.entries)
    yield _gauge("cache_bytes", "Bytes of packed weights.", stats.bytes)
    yield _gauge(
        "cache_private_bytes",
        "Bytes of packed weights that no other program can find.",
        stats.private_bytes,
    )
    yield _gauge(
        "cache_retained_bytes",
        "Bytes of packed weights that are kept, and no model uses.",
        stats.retained_bytes,
    )
    yield _gauge(
        "cache_file_bytes",
        "Bytes of packed weights that are pages of the packed file.",
        stats.file_bytes,
    )
    yield _gauge(
        "cache_in_place_bytes", "Bytes of weights that are used as stored.", stats.in_place_bytes
    )
    yield _gauge(
        "cache_copied_bytes",
        "Bytes of weights that are used as stored, in a copy.",
        stats.copied_bytes,
    )
    yield _gauge("cache_pins", "Uses of weights by models.", stats.pins)
    yield _gauge("cache_heap_bytes", "Bytes of address space for packed weights.", stats.heap_bytes)


def _cache_events(stats: WeightCacheStats) -> Iterator[Metric]:
    yield _counter("cache_hits", "Weights that a load needed and found.", stats.hits)
    yield _counter(
        "cache_hit_bytes", "Bytes of weights that a load needed and found.", stats.hit_bytes
    )
    yield _counter("cache_misses", "Weights that a load did not find.", stats.misses.total)
    yield _counter("cache_packed_bytes", "Bytes of weights that were packed.", stats.packed_bytes)
    yield _counter(
        "cache_packing_seconds",
        "Seconds of all threads in which weights were packed.",
        stats.packing_ns / 1e9,
    )
    yield _counter("cache_evictions", "Retained weights that were dropped.", stats.evictions)


def _packed_file(stats: PackedFileStats) -> Iterator[Metric]:
    yield _gauge("packed_file_bytes", "Size of the packed file in bytes.", stats.file_bytes)
    yield _counter("packed_file_hits", "Weights that were found in the packed file.", stats.hits)
    yield _counter(
        "packed_file_misses", "Weights that were not found in the packed file.", stats.misses.total
    )
    yield _counter(
        "packed_file_written_bytes",
        "Bytes of weights written to the packed file.",
        stats.written_bytes,
    )
    yield _counter(
        "packed_file_troubles", "How often the packed file could not be used.", stats.troubles
    )


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"onepack_{name}", about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"onepack_{name}", about, value=value)
