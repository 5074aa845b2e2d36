"""Provide the service's metrics for Prometheus: requests are counted as they happen, the queue and workers are read from the store."""

from collections.abc import Iterator
from typing import get_args

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realframe.errors import MetadataError
from realframe.statistics.conformal import Verdict
from realframe.store import detection_records, upload_queue, worker_status
from realframe.store.detection_documents import Lane, State
from realframe.store.repository import Store

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_UNFINISHED: tuple[State, ...] = ("queued", "running")
_VERDICTS = (*get_args(Verdict), "not scored")


class Metrics:
    """Collect the metrics of one application.

    Args:
        app: the application; its state holds the store once it has started.
    """

    def __init__(self, app: FastAPI) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("realframe_requests", "Requests.", ("method", "route", "status"), registry=self._registry)
        self._seconds = Histogram(
            "realframe_request_seconds", "Seconds per request.", ("method", "route"), registry=self._registry, buckets=_BUCKETS
        )
        self._refused = Counter("realframe_refused", "Refused requests by error code.", ("code",), registry=self._registry)
        self._upload_bytes = Counter("realframe_upload_bytes", "Bytes of accepted files.", registry=self._registry)
        self._registry.register(_StoreCollector(app))

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; a method that HTTP does not define is counted as ``other``."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count a refused request by its error code."""
        self._refused.labels(code).inc()

    def count_upload_bytes(self, size: int) -> None:
        """Count the bytes of an accepted file."""
        self._upload_bytes.inc(size)

    def to_text(self) -> bytes:
        """Return all metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)


class _StoreCollector(Collector):
    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def describe(self) -> Iterator[Metric]:
        """Return nothing: the metrics are not known before the store is open."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read the metrics from the store; if it does not answer, or did not at the last check, only report that."""
        try:
            if not self._app.state.monitor.is_store_up:
                raise MetadataError("store", "did not answer the last check")
            families, is_up = [read(self._app.state.store) for read in (_queue, _verdicts, _workers)], 1
        except MetadataError:
            families, is_up = [], 0
        yield GaugeMetricFamily("realframe_store_up", "Whether the store answers.", value=is_up)
        yield from families


def _queue(store: Store) -> Metric:
    family = GaugeMetricFamily("realframe_queue", "Files that are queued or running.", labels=("lane", "state"))
    for lane in get_args(Lane):
        for state in _UNFINISHED:
            family.add_metric((lane, state), upload_queue.count_in_state(store, lane, state))
    return family


def _verdicts(store: Store) -> Metric:
    family = GaugeMetricFamily("realframe_detections", "Stored results by verdict and model version.", labels=("verdict", "model"))
    for verdict in _VERDICTS:
        for model, count in detection_records.count_by_model(store, verdict).items():
            family.add_metric((verdict, model), count)
    return family


def _workers(store: Store) -> Metric:
    family = GaugeMetricFamily("realframe_workers", "Live workers by the model version that they serve.", labels=("model",))
    models = [worker.model for worker in worker_status.list_alive(store)]
    for model in sorted(set(models)):
        family.add_metric((model,), models.count(model))
    return family
