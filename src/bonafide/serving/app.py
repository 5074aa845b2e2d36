"""The web application: who signs in sees the model versions, decides on them as a reviewer, and follows the lineage.

Pages are made on the server, without a script; nothing is loaded from anywhere else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bonafide.metadata.store import open_store
from bonafide.serving import faults, first_start
from bonafide.serving.pages import lineage, review, sign_in, versions
from bonafide.serving.rendering import STATIC
from bonafide.serving.security import SecurityHeaders
from bonafide.serving.sessions import Sessions
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

    app = FastAPI(title="bonafide", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.settings, app.state.sessions = settings, Sessions(settings.state)
    app.add_middleware(SecurityHeaders)
    app.mount("/static", STATIC, name="static")
    for pages in (sign_in, versions, review, lineage):
        app.include_router(pages.router)
    faults.install(app)
    return app
