"""The model versions: which there are, who decided what about them, and the report of each."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, Response

from bonafide import artefacts
from bonafide.review import follow, ledger
from bonafide.review.page import ungated
from bonafide.runs import reports
from bonafide.serving.access.sessions import Visitor, signed_in
from bonafide.serving.views.rendering import page
from bonafide.tracking import registry

router = APIRouter()
# the report is one file with its style and pictures inside, and holds no script
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"


@router.get("/versions")
def versions(request: Request, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """List all versions, the newest first, and the ledger."""
    store = request.app.state.store
    follow.notice(store)
    chain = ledger.entries(store)
    settings = request.app.state.settings
    rows = [
        (version, registry.shown(version.figures["item"]["roc_auc"]), reports.kept(version.version, artefacts.REPORT, settings).exists())
        for version in reversed(registry.versions())
    ]
    return page(request, "versions", visitor, rows=rows, entries=list(reversed(chain)), warnings=ungated(store))


@router.get("/versions/{version}/report")
def report(request: Request, version: int, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """Show a version's report."""
    return FileResponse(
        _kept(request, version, artefacts.REPORT), media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY}
    )


@router.get("/versions/{version}/card")
def card(request: Request, version: int, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """Show a version's model card, as the text that it is."""
    return FileResponse(_kept(request, version, artefacts.CARD), media_type="text/plain; charset=utf-8")


@router.get("/versions/{version}/data")
def data_card(request: Request, version: int, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """Show the card of a version's data, Croissant's JSON-LD."""
    return FileResponse(_kept(request, version, artefacts.CROISSANT), media_type="application/ld+json")


def _kept(request: Request, version: int, path: Path) -> Path:
    file = reports.kept(version, path, request.app.state.settings)
    if not file.exists():
        raise HTTPException(404, f"{path.name} of version {version} is not kept here: `bonafide evaluate {version}` makes it anew.")
    return file
