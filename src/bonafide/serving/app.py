"""The web application: the pages for people, and the API for programs.

Pages are made on the server, and work without a script; nothing is loaded from anywhere else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from bonafide.metadata.store import open_store
from bonafide.serving import faults
from bonafide.serving.access import first_start
from bonafide.serving.access.sessions import Sessions
from bonafide.serving.access.sharing import Sharing
from bonafide.serving.api import RESOURCES, openapi
from bonafide.serving.api.schemas import PREFIX
from bonafide.serving.intake.pace import Pace
from bonafide.serving.intake.room import Room
from bonafide.serving.known_versions import KnownVersions
from bonafide.serving.layers.bodies import SmallBodies
from bonafide.serving.layers.security import SecurityHeaders
from bonafide.serving.layers.watching import Watching
from bonafide.serving.operations.metrics import Metrics
from bonafide.serving.pages import PAGES
from bonafide.serving.views.rendering import STATIC
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
