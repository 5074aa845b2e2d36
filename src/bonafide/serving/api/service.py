"""How the service is: alive, ready, and its figures."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel

from bonafide.errors import BonafideError, SetupError
from bonafide.metadata import workers
from bonafide.serving import problems
from bonafide.serving.api.documented import public_errors
from bonafide.serving.problems import Wrong
from bonafide.tracking.registry import CHAMPION

router = APIRouter(tags=["service"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Files are taken in and scored."""

    status: Literal["ready"] = "ready"


@router.get("/healthz", summary="Is the process alive", responses=public_errors())
async def alive() -> Alive:
    """Answer, whatever else is missing."""
    return Alive()


@router.get("/readyz", summary="Is the service ready", responses=public_errors(503), response_model=Ready)
def ready(request: Request) -> Ready | Response:
    """Say whether the store answers, a version is champion, and a worker lives; else which of them is missing."""
    wrong = [Wrong(where=part, message=missing) for part, check in _PARTS.items() if (missing := _told(check, request))]
    if not wrong:
        return Ready()
    detail = "; ".join(f"{one.where}: {one.message}" for one in wrong)
    return problems.answer(request, 503, SetupError.code, detail, wrong=wrong)


@router.get(
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
    except BonafideError as error:
        return str(error)


def _store(request: Request) -> str:
    request.app.state.store.newest(workers.WorkerBeat, "at")
    return ""


def _champion(request: Request) -> str:
    serves = any(CHAMPION in version.aliases for version in request.app.state.versions.all())
    return "" if serves else "No version has been approved yet: `bonafide registry list`."


def _worker(request: Request) -> str:
    found = workers.alive(request.app.state.store)
    if not found:
        return "None has been heard of lately: `bonafide serve` starts them."
    return "" if any(worker.model for worker in found) else found[0].problem or "The detector is being loaded."


_PARTS: dict[str, Callable[[Request], str]] = {"store": _store, "champion": _champion, "worker": _worker}
