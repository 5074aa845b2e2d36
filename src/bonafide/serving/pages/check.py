"""Check: files are handed in here, and what came of the last ones."""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from bonafide.errors import LaterError, RequestError
from bonafide.metadata import workers
from bonafide.serving import problems, records
from bonafide.serving.access.callers import Caller
from bonafide.serving.access.sessions import Visitor, signed_in
from bonafide.serving.intake.uploads import take_in
from bonafide.serving.records import Wanted
from bonafide.serving.views.rendering import page
from bonafide.tracking.registry import CHAMPION

router = APIRouter()
Reader = Annotated[Visitor, Depends(signed_in)]
_RECENT = 6


@router.get("/")
def check(request: Request, visitor: Reader) -> Response:
    """Show where to drop files; where no version was approved yet, what to do about that."""
    return page(request, "check", visitor, said="", **_facts(request, visitor))


@router.post("/check")
async def send(request: Request, visitor: Reader) -> Response:
    """Take in the file of a browser without scripts, and go to its page."""
    try:
        record = await take_in(request, Caller.of_visitor(visitor), form=True)
    except RequestError as error:
        facts = await to_thread.run_sync(_facts, request, visitor)
        refused = page(request, "check", visitor, problems.status_of(error), said=str(error), **facts)
        if isinstance(error, LaterError):
            refused.headers["Retry-After"] = str(error.wait_s)
        return refused
    return RedirectResponse(f"/detections/{record.detection_id}", 303)


def _facts(request: Request, visitor: Visitor) -> dict[str, Any]:
    state = request.app.state
    recent, _ = records.listing(state.store, Caller.of_visitor(visitor), Wanted(), _RECENT)
    return {
        "approved": any(CHAMPION in version.aliases for version in state.versions.all()),
        "scoring": any(worker.model for worker in workers.alive(state.store)),
        "recent": recent,
        "settings": state.settings,
    }
