"""The versions of the detector.

How the service is: alive, ready, and its figures.
"""

from collections.abc import Callable
from typing import Literal, Self

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field

from realframe.errors import RealframeError, SetupError
from realframe.registry.model_registry import CHAMPION, ModelVersion
from realframe.store import worker_status
from realframe.web import error_responses
from realframe.web.api.openapi import errors, public_errors
from realframe.web.api.schemas import PREFIX
from realframe.web.auth.authentication import Calling
from realframe.web.error_responses import FieldProblem

router = APIRouter(prefix=f"{PREFIX}/models", tags=["models"])


class FigureResource(BaseModel):
    """A figure on the test split with its 95 % interval; null where it can't be said."""

    value: float | None
    low: float | None = None
    high: float | None = None


class ModelResource(BaseModel):
    """A version of the detector."""

    version: int = Field(ge=1)
    aliases: list[str] = Field(description="`champion` answers, `challenger` waits for a decision")
    decided: bool = Field(description="whether a reviewer has decided on it")
    created: str = Field(description="when it was registered, UTC, ISO 8601")
    recipe: str
    weights: str = Field(description="what its backbone started from")
    dataset: str = Field(description="the version of the dataset that it was trained and tested on")
    threshold: float = Field(description="an item is called fake whose score is at or above it, where there are but two words")
    below_baseline: bool = Field(description="it ranks the test items worse than simple features do")
    figures: dict[str, dict[str, FigureResource]] = Field(description="`item` and `frame` -> figure")

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """Return what of a version is told."""
        told = {name: getattr(version, name) for name in cls.model_fields if name not in ("decided", "figures")}
        figures = {
            level: {name: FigureResource.model_validate(figure) for name, figure in of_level.items()}
            for level, of_level in version.figures.items()
        }
        return cls(**told, decided=bool(version.decision), figures=figures)


class ModelList(BaseModel):
    """All versions, the newest first."""

    items: list[ModelResource]


@router.get("", summary="List the versions", responses=errors())
def listed(request: Request, caller: Calling) -> ModelList:
    """List the versions of the detector with their figures; a change shows within seconds."""
    return ModelList(items=[ModelResource.of(version) for version in request.app.state.versions.all()])


service_router = APIRouter(tags=["service"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Files are taken in and scored."""

    status: Literal["ready"] = "ready"


@service_router.get("/healthz", summary="Is the process alive", responses=public_errors())
async def alive() -> Alive:
    """Answer, whatever else is missing."""
    return Alive()


@service_router.get("/readyz", summary="Is the service ready", responses=public_errors(503), response_model=Ready)
def ready(request: Request) -> Ready | Response:
    """Say whether the store answers, a version is champion, and a worker lives; else which of them is missing."""
    wrong = [FieldProblem(where=part, message=missing) for part, check in _PARTS.items() if (missing := _told(check, request))]
    if not wrong:
        return Ready()
    detail = "; ".join(f"{one.where}: {one.message}" for one in wrong)
    return error_responses.answer(request, 503, SetupError.code, detail, wrong=wrong)


@service_router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"description": "Text format 0.0.4.", "content": {"text/plain": {"schema": {"type": "string"}}}}, **public_errors()},
)
def figures(request: Request) -> Response:
    """Return the figures."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _told(check: Callable[[Request], str], request: Request) -> str:
    try:
        return check(request)
    except RealframeError as error:
        return str(error)


def _store(request: Request) -> str:
    request.app.state.store.newest(worker_status.WorkerBeat, "at")
    return ""


def _champion(request: Request) -> str:
    serves = any(CHAMPION in version.aliases for version in request.app.state.versions.all())
    return "" if serves else "No version has been approved yet: `realframe registry list`."


def _worker(request: Request) -> str:
    found = worker_status.alive(request.app.state.store)
    if not found:
        return "None has been heard of lately: `realframe serve` starts them."
    return "" if any(worker.model for worker in found) else found[0].problem or "The detector is being loaded."


_PARTS: dict[str, Callable[[Request], str]] = {"store": _store, "champion": _champion, "worker": _worker}
