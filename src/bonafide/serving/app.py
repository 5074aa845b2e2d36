"""The web application: the pages for people, and the API for programs.

Pages are made on the server, and work without a script; nothing is loaded from anywhere else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from bonafide.metadata.store import open_store
from bonafide.serving import faults, first_start
from bonafide.serving.api import RESOURCES, openapi
from bonafide.serving.api.schemas import PREFIX
from bonafide.serving.bodies import SmallBodies
from bonafide.serving.known_versions import KnownVersions
from bonafide.serving.metrics import Metrics
from bonafide.serving.pace import Pace
from bonafide.serving.pages import PAGES
from bonafide.serving.rendering import STATIC
from bonafide.serving.room import Room
from bonafide.serving.security import SecurityHeaders
from bonafide.serving.sessions import Sessions
from bonafide.serving.sharing import Sharing
from bonafide.serving.watching import Watching
from bonafide.settings import Settings, get_settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; it opens the metadata store when it starts.

    Args:
        settings: of the checkout; by default those of this process.
    """
    settings = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_store(settings) as store:
            first_start.welcome(store)
            app.state.store = store
            yield

    app = FastAPI(
        title="bonafide",
        version=version("bonafide"),
        summary="Tells AI-generated images and videos from real ones.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    state = app.state
    state.settings, state.sessions, state.pace, state.room = settings, Sessions(settings.state), Pace(settings), Room(settings)
    state.sharing = Sharing(settings.state)
    state.metrics, state.versions = Metrics(app), KnownVersions()
    for layer in (SmallBodies, faults.Unforeseen, SecurityHeaders, Watching):  # the last one stands outermost
        app.add_middleware(layer)
    app.mount("/static", STATIC, name="static")
    for pages in PAGES:
        app.include_router(pages.router, include_in_schema=False)
    for resource in RESOURCES:
        app.include_router(resource.router)
    openapi.install(app)
    faults.install(app)
    return app
