"""Create the web application: the pages for people and the API for programs.

Pages are rendered on the server and work without JavaScript. Nothing is loaded from other sites.
"""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from fastapi import FastAPI

from realframe.errors import SetupError
from realframe.registry import mlflow_runs
from realframe.settings import Settings, get_settings
from realframe.store import accounts
from realframe.store.repository import Store, open_store
from realframe.web import api, error_responses, pages
from realframe.web.api import openapi
from realframe.web.api.schemas import PREFIX
from realframe.web.auth.sessions import Sessions, ShareLinks
from realframe.web.middleware import AccessLog, BodyLimit, SecurityHeaders
from realframe.web.monitoring import Metrics
from realframe.web.rendering import STATIC
from realframe.web.service_monitor import ServiceMonitor
from realframe.web.uploads.admission import QueueCapacity, RateLimits

_FIRST_ACCOUNT = "admin"
_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; it opens the metadata store when it starts.

    Args:
        settings: the settings of the checkout; by default those of this process.
    """
    settings = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with suppress(SetupError):  # pages name the problem
            mlflow_runs.connect_registry(settings)  # now, so that no request creates the database
        with open_store(settings) as store:
            _create_first_account(store)
            app.state.store = store
            with app.state.monitor.watch(store):
                yield

    app = FastAPI(
        title="realframe",
        version=version("realframe"),
        summary="Detects AI-generated images and videos.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        redirect_slashes=False,  # such a redirect repeats the request's Host header
    )
    app.state.settings = settings
    app.state.sessions, app.state.share_links = Sessions(settings), ShareLinks(settings.state_dir)
    app.state.rate_limits, app.state.queue_capacity = RateLimits(settings), QueueCapacity(settings)
    app.state.metrics, app.state.monitor = Metrics(app), ServiceMonitor()
    for middleware in (BodyLimit, error_responses.ServerError, SecurityHeaders, AccessLog):  # the last one is the outermost
        app.add_middleware(middleware)
    app.mount("/static/swagger-ui", pages.api_page.SWAGGER_UI, name="swagger-ui")
    app.mount("/static", STATIC, name="static")
    for router in pages.ROUTERS:
        app.include_router(router, include_in_schema=False)
    for router in api.ROUTERS:
        app.include_router(router)
    openapi.set_openapi(app)
    error_responses.add_exception_handlers(app)
    return app


def _create_first_account(store: Store) -> None:
    """If there is no account yet, create ``admin`` and print its password, once and on the terminal only."""
    if accounts.list_accounts(store):
        return
    password = secrets.token_urlsafe(12)
    accounts.add_account(store, _FIRST_ACCOUNT, "admin", password)
    print(
        f"\nThe first account: {_FIRST_ACCOUNT}, password {password}\n"
        "The password is shown only once. Add other accounts with `realframe users add NAME --role reviewer`,\n"
        f"and set a new password with `realframe users passwd {_FIRST_ACCOUNT}`.\n",
        flush=True,
    )
    _log.info("created the account %s", _FIRST_ACCOUNT)
