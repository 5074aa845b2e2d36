"""The versions of the detector as the registry has them, asked for every few seconds at most: MLflow takes its time.

The web application: the pages for people, and the API for programs.

Pages are made on the server, and work without a script; nothing is loaded from anywhere else.
"""

import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from realframe.errors import RealframeError, SetupError
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.settings import Settings, get_settings
from realframe.store.repository import open_store
from realframe.web import api, error_responses, pages
from realframe.web.api import openapi
from realframe.web.api.schemas import PREFIX
from realframe.web.auth import sessions
from realframe.web.auth.sessions import Sessions, Sharing
from realframe.web.middleware import AccessLog, BodyLimit, SecurityHeaders
from realframe.web.monitoring import Metrics
from realframe.web.rendering import STATIC
from realframe.web.uploads.admission import QueueCapacity, RateLimits

_KEPT_S = 5.0
_log = logging.getLogger(__name__)


class KnownVersions:
    """What the registry said last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[ModelVersion] = []
        self._asked = float("-inf")

    def all(self) -> list[ModelVersion]:
        """Return all versions, the newest first; of several who ask at once one waits for MLflow. Raises SetupError where it fails."""
        with self._lock:
            if time.monotonic() - self._asked > _KEPT_S:
                self._found = _ask()
                self._asked = time.monotonic()
            return self._found


def _ask() -> list[ModelVersion]:
    try:
        return list(reversed(model_registry.versions()))
    except RealframeError:
        raise
    except Exception as error:  # MLflow's, its database's, those of the network
        _log.exception("the model registry failed")
        raise SetupError("the model registry", "does not answer", "Is MLflow there? The log has what it said.") from error


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; it opens the metadata store when it starts.

    Args:
        settings: of the checkout; by default those of this process.
    """
    settings = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_store(settings) as store:
            sessions.welcome(store)
            app.state.store = store
            yield

    app = FastAPI(
        title="realframe",
        version=version("realframe"),
        summary="Tells AI-generated images and videos from real ones.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    state = app.state
    state.settings, state.sessions, state.pace, state.room = (
        settings,
        Sessions(settings.state),
        RateLimits(settings),
        QueueCapacity(settings),
    )
    state.sharing = Sharing(settings.state)
    state.metrics, state.versions = Metrics(app), KnownVersions()
    for layer in (BodyLimit, error_responses.ServerError, SecurityHeaders, AccessLog):  # the last one stands outermost
        app.add_middleware(layer)
    app.mount("/static", STATIC, name="static")
    for router in pages.ROUTERS:
        app.include_router(router, include_in_schema=False)
    for router in api.ROUTERS:
        app.include_router(router)
    openapi.install(app)
    error_responses.install(app)
    return app
