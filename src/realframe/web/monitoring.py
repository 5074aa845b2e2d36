"""The figures of the service for Prometheus: counted here as things happen, and read from the store when somebody asks."""

from collections.abc import Iterator
from typing import get_args

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realframe.errors import MetadataError
from realframe.store import worker_status
from realframe.store.detection_documents import DetectionRecord, Lane
from realframe.store.repository import Store

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_VERDICTS = ("real", "ai-generated", "uncertain", "not scored")


class Metrics:
    """The figures of one application.

    Args:
        app: whose state holds the store, once it has started.
    """

    def __init__(self, app: FastAPI) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("realframe_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry)
        self._seconds = Histogram(
            "realframe_request_seconds", "Seconds per request.", ("method", "route"), registry=self._registry, buckets=_BUCKETS
        )
        self._refused = Counter("realframe_refused", "Requests refused, by their code.", ("code",), registry=self._registry)
        self._bytes = Counter("realframe_upload_bytes", "Bytes of files that were taken in.", registry=self._registry)
        self._registry.register(_OfStore(app))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; a method that somebody made up makes no series of its own."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def refused(self, code: str) -> None:
        """Count a request that was refused."""
        self._refused.labels(code).inc()

    def taken_in(self, size: int) -> None:
        """Count a file's bytes."""
        self._bytes.inc(size)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)


class _OfStore(Collector):
    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def describe(self) -> Iterator[Metric]:
        """Nothing is known before the store is open."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask the store; where it does not answer, that is all there is to say."""
        try:
            families, up = [family(self._app.state.store) for family in (_queue, _verdicts, _workers)], 1
        except MetadataError:
            families, up = [], 0
        yield GaugeMetricFamily("realframe_store_up", "Whether the store answers.", value=up)
        yield from families


def _queue(store: Store) -> Metric:
    family = GaugeMetricFamily("realframe_queue", "Files that are not done.", labels=("lane", "state"))
    for lane in get_args(Lane):
        for state in ("queued", "running"):
            family.add_metric((lane, state), store.count(DetectionRecord, {"state": state, "lane": lane}))
    return family


def _verdicts(store: Store) -> Metric:
    family = GaugeMetricFamily("realframe_detections", "Answers that are kept.", labels=("verdict", "model"))
    for verdict in _VERDICTS:
        for model, count in store.tally(DetectionRecord, "model", {"verdict": verdict}).items():
            family.add_metric((verdict, model), count)
    return family


def _workers(store: Store) -> Metric:
    family = GaugeMetricFamily("realframe_workers", "Workers that are alive, by the version that they answer with.", labels=("model",))
    models = [worker.model for worker in worker_status.alive(store)]
    for model in sorted(set(models)):
        family.add_metric((model,), models.count(model))
    return family
