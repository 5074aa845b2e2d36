"""Lineage: from a model version to the single media item, and back.

The model versions: which there are, who decided what about them, and the report of each.
"""

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from realframe import artifacts
from realframe.errors import UnknownError
from realframe.governance import ledger, reconcile
from realframe.governance.review_summary import ungated
from realframe.registry import model_registry
from realframe.runs import run_versions
from realframe.store.lineage import DatasetLineage, ModelLineage, find_lineage
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page

router = APIRouter()
_ASKED = re.compile(r"[0-9]+|[0-9a-fA-F]{6,64}|dataset/v[0-9]+")  # a path of this machine is never looked at


@router.get("/lineage")
def ask(request: Request, visitor: Annotated[User, Depends(signed_in)], of: str = "") -> Response:
    """Ask what something comes from, and what came of it."""
    if of.strip():
        return RedirectResponse(f"/lineage/{of.strip()}", 303)
    return page(request, "lineage", visitor, kind="", found=None)


@router.get("/lineage/{of:path}")
def show(request: Request, of: str, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """Show the chain of a model version, a dataset version or a media item."""
    if not _ASKED.fullmatch(of):
        hint = "Give the number of a model version, dataset/vN, or the first 6 or more hex digits of a media id."
        raise UnknownError(of[:80], "is no name of anything here", hint)
    found = find_lineage(request.app.state.store, of)
    kind = "model" if isinstance(found, ModelLineage) else "dataset" if isinstance(found, DatasetLineage) else "media"
    return page(request, "lineage", visitor, kind=kind, found=found)


versions_router = APIRouter()
# the report is one file with its style and pictures inside, and holds no script
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"


@versions_router.get("/versions")
def versions(request: Request, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """List all versions, the newest first, and the ledger."""
    store = request.app.state.store
    reconcile.detect_manual_changes(store)
    chain = ledger.entries(store)
    settings = request.app.state.settings
    rows = [
        (
            version,
            model_registry.shown(version.figures["item"]["roc_auc"]),
            run_versions.kept(version.version, artifacts.REPORT, settings).exists(),
        )
        for version in reversed(model_registry.versions())
    ]
    return page(request, "versions", visitor, rows=rows, entries=list(reversed(chain)), warnings=ungated(store))


@versions_router.get("/versions/{version}/report")
def report(request: Request, version: int, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """Show a version's report."""
    return FileResponse(
        _kept(request, version, artifacts.REPORT), media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY}
    )


@versions_router.get("/versions/{version}/card")
def card(request: Request, version: int, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """Show a version's model card, as the text that it is."""
    return FileResponse(_kept(request, version, artifacts.CARD), media_type="text/plain; charset=utf-8")


@versions_router.get("/versions/{version}/data")
def data_card(request: Request, version: int, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """Show the card of a version's data, Croissant's JSON-LD."""
    return FileResponse(_kept(request, version, artifacts.CROISSANT), media_type="application/ld+json")


def _kept(request: Request, version: int, path: Path) -> Path:
    file = run_versions.kept(version, path, request.app.state.settings)
    if not file.exists():
        raise HTTPException(404, f"{path.name} of version {version} is not kept here: `realframe evaluate {version}` makes it anew.")
    return file
