"""The pages of the model versions: the list with the ledger, each version's report and cards, and the lineage search."""

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, RedirectResponse, Response

from realframe import artifacts
from realframe.errors import UnknownRecordError
from realframe.governance import ledger
from realframe.governance.review_summary import list_ledger_warnings
from realframe.registry import model_registry
from realframe.runs import run_versions
from realframe.store.lineage import DatasetLineage, ModelLineage, find_lineage
from realframe.web.auth.sessions import SignedInUser
from realframe.web.rendering import render_page

router = APIRouter()
VersionNumber = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]
"""An argument of a page's route: the number of a version."""
# the report is one file that embeds its style and pictures, and has no script
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
# `find_lineage` also accepts paths, which the page must not open
_LINEAGE_ID = re.compile(r"[0-9]{1,5}|[0-9a-fA-F]{6,64}|dataset/v[0-9]{1,9}")


@router.get("/versions")
def list_versions(request: Request, user: SignedInUser) -> Response:
    """List all versions, newest first, and the ledger."""
    store, settings = request.app.state.store, request.app.state.settings
    entries = ledger.list_entries(store)
    rows = [
        (
            version,
            [(kind, model_registry.format_metric_with_interval(figure)) for kind, figure in version.cross_source.items()],
            model_registry.format_metric_with_interval(version.figures["item"]["roc_auc"]),
            run_versions.find_saved_page(version.version, artifacts.REPORT, settings).exists(),
        )
        for version in reversed(model_registry.list_versions())
    ]
    return render_page(request, "versions", user, rows=rows, entries=list(reversed(entries)), warnings=list_ledger_warnings(store))


@router.get("/versions/{version}/report")
def show_report(request: Request, version: VersionNumber, user: SignedInUser) -> Response:
    """Show a version's report."""
    file = _saved_file(request, version, artifacts.REPORT)
    return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})


@router.get("/versions/{version}/card")
def show_model_card(request: Request, version: VersionNumber, user: SignedInUser) -> Response:
    """Show a version's model card as plain text."""
    return FileResponse(_saved_file(request, version, artifacts.MODEL_CARD), media_type="text/plain; charset=utf-8")


@router.get("/versions/{version}/data")
def show_data_card(request: Request, version: VersionNumber, user: SignedInUser) -> Response:
    """Show the description of a version's dataset in Croissant's JSON-LD."""
    return FileResponse(_saved_file(request, version, artifacts.CROISSANT), media_type="application/ld+json")


@router.get("/lineage")
def search_lineage(request: Request, user: SignedInUser, query: str = "") -> Response:
    """Show the search form, or redirect to the lineage of what was searched for."""
    if query.strip():
        return RedirectResponse(f"/lineage/{query.strip()}", 303)
    return render_page(request, "lineage", user, kind="", lineage=None)


@router.get("/lineage/{identifier:path}")
def show_lineage(request: Request, identifier: str, user: SignedInUser) -> Response:
    """Show the lineage of a model version, a dataset version or a media item."""
    if not _LINEAGE_ID.fullmatch(identifier):
        hint = "Enter the number of a model version, dataset/vN, or at least the first 6 hex digits of a media id."
        raise UnknownRecordError(identifier[:80], "is not a valid id", hint)
    lineage = find_lineage(request.app.state.store, identifier)
    kind = "model" if isinstance(lineage, ModelLineage) else "dataset" if isinstance(lineage, DatasetLineage) else "media"
    return render_page(request, "lineage", user, kind=kind, lineage=lineage)


def _saved_file(request: Request, version: int, path: Path) -> Path:
    file = run_versions.find_saved_page(version, path, request.app.state.settings)
    if not file.exists():
        message = f"{path.name} of version {version} does not exist on this machine. Create it with `realframe evaluate {version}`."
        raise HTTPException(404, message)
    return file
