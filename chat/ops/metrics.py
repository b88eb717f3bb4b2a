"""`/metrics`: the numbers of the server in Prometheus's text format 0.0.4, for staff and whoever has the token.

Names follow Prometheus's conventions. Labels name models and reasons, never people, conversations or texts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from pathlib import Path

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from chat.models import Actor
from chat.ops.http_counts import HTTP_REQUESTS
from chat.runs.rates import recent_rates
from chat.runs.samples import ModelSample, Sample
from chat.runtime import Runtime, get_runtime

RATE_WINDOW_S = 60.0


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics. For everybody without the right the page does not exist."""
    runtime = get_runtime()
    if not (_has_token(request, runtime.conf.metrics_token) or _is_staff(request)):
        raise Http404
    text = b"".join(generate_latest(registry) for registry in (_live(runtime), runtime.meters.registry))
    return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: HttpRequest, token: str) -> bool:
    given = request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode())


def _is_staff(request: HttpRequest) -> bool:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor.user is not None and actor.user.is_staff


def _live(runtime: Runtime) -> CollectorRegistry:
    """What is read at the moment of the question."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(runtime))
    registry.register(HTTP_REQUESTS)
    ProcessCollector(registry=registry)
    return registry


class ServerCollector(Collector):
    """The state of the server and its engines, from the newest sample."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client`."""
        samples = self._runtime.sampler.samples()
        for name, meaning, value in self._server_gauges(samples[-1]):
            yield GaugeMetricFamily(f"parley_{name}", meaning, value=value)
        yield from _engine_metrics(samples)

    def _server_gauges(self, sample: Sample) -> Iterator[tuple[str, str, float]]:
        yield "live_runs", "Answers that are being made or wait.", self._runtime.pool.num_live
        yield "open_streams", "Clients that follow an answer while it is written.", sample.num_streams
        yield "database_bytes", "Size of the database with its write-ahead log.", _database_bytes()
        yield (
            "event_log_behind_seconds",
            "For how long the database has been refusing events; 0 when all is well.",
            self._runtime.log.behind_s,
        )
        yield "web_resident_memory_bytes", "Memory of the web process.", sample.web_memory_bytes


def _engine_metrics(samples: list[Sample]) -> Iterator[Metric]:
    """One value for each model that is loaded or on the way there."""
    models = samples[-1].models
    for name, meaning, value_of in _ENGINE_GAUGES:
        family = GaugeMetricFamily(f"parley_engine_{name}", meaning, labels=["model"])
        for model, sample in models.items():
            family.add_metric([model], value_of(sample))
        yield family
    restarts = CounterMetricFamily(
        "parley_engine_restarts", "Times that the engine was started again after a crash.", labels=["model"]
    )
    for model, sample in models.items():
        restarts.add_metric([model], sample.status.num_restarts)
    yield restarts
    yield from _rate_gauges(samples)


def _rate_gauges(samples: list[Sample]) -> Iterator[Metric]:
    decode = GaugeMetricFamily(
        "parley_decode_tokens_per_second",
        "Tokens written in the last minute, by the clock.",
        labels=["model"],
    )
    prefill = GaugeMetricFamily(
        "parley_prefill_tokens_per_second",
        "Prompt tokens computed for each second of reading, by answers that ended in the last minute.",
        labels=["model"],
    )
    for model in samples[-1].models:
        rates = recent_rates(samples, model, RATE_WINDOW_S)
        decode.add_metric([model], rates.written_per_s)
        if rates.read_per_s is not None:
            prefill.add_metric([model], rates.read_per_s)
    yield decode
    yield prefill


_ENGINE_GAUGES: tuple[tuple[str, str, Callable[[ModelSample], float]], ...] = (
    ("ready", "1 while the model takes questions.", lambda sample: sample.status.state == "ready"),
    ("slots", "Answers that can be written at once.", lambda sample: sample.status.num_slots),
    ("slots_in_use", "Answers that are being written.", lambda sample: sample.status.num_running),
    ("queue_length", "Answers that wait for a slot.", lambda sample: sample.status.num_queued),
    ("context_tokens", "Longest prompt and answer together.", lambda sample: sample.status.context_tokens),
    ("resident_memory_bytes", "Memory of the engine's process.", lambda sample: sample.memory_bytes),
)


def _database_bytes() -> int:
    """With the write-ahead log; 0 for a database that is no file."""
    name = str(connection.settings_dict["NAME"])
    return sum(path.stat().st_size for path in (Path(name), Path(f"{name}-wal")) if path.is_file())
