"""The model versions: which there are, who decided what about them, and the report of each."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from bonafide.review import follow, ledger
from bonafide.review.page import ungated
from bonafide.runs.lifecycle import report_of
from bonafide.serving.rendering import page
from bonafide.serving.sessions import Visitor, signed_in
from bonafide.tracking import registry

router = APIRouter()
# the report is one file with its style and pictures inside, and holds no script
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"


@router.get("/")
def home() -> Response:
    """Go to the versions."""
    return RedirectResponse("/versions", 303)


@router.get("/versions")
def versions(request: Request, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """List all versions, the newest first, and the ledger."""
    store = request.app.state.store
    follow.notice(store)
    chain = ledger.entries(store)
    rows = [
        (version, registry.shown(version.figures["item"]["roc_auc"]), report_of(version.version, request.app.state.settings).exists())
        for version in reversed(registry.versions())
    ]
    return page(request, "versions", visitor, rows=rows, entries=list(reversed(chain)), warnings=ungated(store))


@router.get("/versions/{version}/report")
def report(request: Request, version: int, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """Show a version's report."""
    file = report_of(version, request.app.state.settings)
    if not file.exists():
        raise HTTPException(404, f"The report of version {version} is not kept here: `bonafide evaluate {version}` makes it anew.")
    return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})
