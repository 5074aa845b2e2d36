"""Ask the metadata store and the model registry in the background, so that no page and no check of the service waits for them.

Requests read what was found last. A server that hangs delays the next answer of one thread here, and nothing else.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realframe.errors import ServiceError
from realframe.registry import mlflow_server, model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION, ModelVersion
from realframe.store import worker_status
from realframe.store.repository import Store

_REGISTRY_INTERVAL_S, _STORE_INTERVAL_S = 5.0, 2.0
_FIRST_WAIT_S = 10.0  # for the first answer after the start
_STALE_S = 60.0
_JOIN_TIMEOUT_S = 2.0
_log = logging.getLogger(__name__)


class ServiceMonitor:
    """What was found last about the registry, the store and the workers. Two threads ask: one the registry, one the store."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._stopped, self._registry_wanted, self._registry_asked = threading.Event(), threading.Event(), threading.Event()
        self._locks = {self._check_registry: threading.Lock(), self._check_store: threading.Lock()}
        self._versions: list[ModelVersion] | None = None
        self._problems = dict.fromkeys(("store", "champion", "worker"), "It is not checked yet.")
        self._checked = {"registry": time.monotonic(), "store": time.monotonic()}

    @contextmanager
    def watch(self, store: Store) -> Iterator[None]:
        """Ask again and again while the block runs."""
        self._store = store
        loops = (
            (self._check_registry, self._registry_wanted, _REGISTRY_INTERVAL_S),
            (self._check_store, threading.Event(), _STORE_INTERVAL_S),
        )
        threads = [threading.Thread(target=self._repeat, args=loop, name=f"monitor {loop[0].__name__}", daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for _, wanted, _ in loops:
                wanted.set()
            for thread in threads:
                thread.join(_JOIN_TIMEOUT_S)  # a server that hangs may hold it longer

    def refresh(self) -> None:
        """Ask the registry and the store now, and wait for their answers."""
        self._run(self._check_registry)
        self._run(self._check_store)

    def list_versions(self) -> list[ModelVersion]:
        """Return the versions as they were read last, newest first; only the first call after the start may wait.

        Raises ServiceError if they could not be read yet.
        """
        self._registry_asked.wait(0 if self._versions is not None else _FIRST_WAIT_S)
        if self._versions is None:
            reason = self._problems["champion"] if self._registry_asked.is_set() else f"no answer within {_FIRST_WAIT_S:g} seconds"
            raise ServiceError("model registry", reason, "`realframe doctor` checks each server.")
        return self._versions

    def find_challenger(self) -> int | None:
        """Return the version that waited for a review when the versions were read last; None if there is none, or it is not known yet."""
        return next((version.version for version in self._versions or () if CHALLENGER in version.aliases), None)

    def forget_challenger(self) -> None:
        """Drop the challenger, after a decision, and let the registry be asked again."""
        self._versions = self._versions and [version for version in self._versions if CHALLENGER not in version.aliases]
        self._registry_wanted.set()

    @property
    def age_s(self) -> float:
        """Seconds since the older of the two checks ended."""
        return time.monotonic() - min(self._checked.values())

    @property
    def is_store_up(self) -> bool:
        """Whether the store answered the last check."""
        return not self._problems["store"]

    def list_problems(self) -> dict[str, str]:
        """Return what keeps the service from scoring files: component -> sentence. A check that does not end is a problem, too."""
        problems = {component: problem for component, problem in self._problems.items() if problem}
        for name, checked in self._checked.items():
            if (age := time.monotonic() - checked) > _STALE_S:
                problems.setdefault("store" if name == "store" else "champion", f"The last check ended {age:.0f} seconds ago.")
        return problems

    def _repeat(self, check: Callable[[], None], wanted: threading.Event, interval_s: float) -> None:
        while not self._stopped.is_set():
            self._run(check)
            wanted.wait(interval_s)
            if not self._stopped.is_set():
                wanted.clear()

    def _run(self, check: Callable[[], None]) -> None:
        with self._locks[check]:  # else an older answer could replace a newer one
            check()

    def _check_registry(self) -> None:
        try:
            versions = list(reversed(model_registry.list_versions()))
            has_champion = any(CHAMPION in version.aliases for version in versions)
            self._versions = versions
            problem = "" if has_champion else "No version is approved yet. See `realframe registry list`."
        except Exception as error:  # of MLflow, its database or the network
            problem = str(mlflow_server.translate_error(error))
            if problem != self._problems["champion"]:
                _log.warning("the model registry failed: %s", problem)
        self._problems["champion"] = problem
        self._checked["registry"] = time.monotonic()
        self._registry_asked.set()

    def _check_store(self) -> None:
        assert self._store is not None
        try:
            workers = worker_status.list_alive(self._store)
            problem, worker_problem = "", _describe_workers(workers)
        except Exception as error:
            problem, worker_problem = str(error), "It is not known while the store does not answer."
        self._problems.update(store=problem, worker=worker_problem)
        self._checked["store"] = time.monotonic()


def _describe_workers(workers: list[worker_status.WorkerStatus]) -> str:
    if not workers:
        return "No worker is alive. `realframe serve` starts the workers."
    return "" if any(worker.model for worker in workers) else workers[0].problem or "The worker is loading the detector."
