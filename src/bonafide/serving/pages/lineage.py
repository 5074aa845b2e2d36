"""Lineage: from a model version to the single media item, and back."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from bonafide.errors import UnknownError
from bonafide.metadata.asked import find
from bonafide.metadata.lineage import DatasetLineage, ModelLineage
from bonafide.serving.access.sessions import Visitor, signed_in
from bonafide.serving.views.rendering import page

router = APIRouter()
_ASKED = re.compile(r"[0-9]+|[0-9a-fA-F]{6,64}|dataset/v[0-9]+")  # a path of this machine is never looked at


@router.get("/lineage")
def ask(request: Request, visitor: Annotated[Visitor, Depends(signed_in)], of: str = "") -> Response:
    """Ask what something comes from, and what came of it."""
    if of.strip():
        return RedirectResponse(f"/lineage/{of.strip()}", 303)
    return page(request, "lineage", visitor, kind="", found=None)


@router.get("/lineage/{of:path}")
def show(request: Request, of: str, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """Show the chain of a model version, a dataset version or a media item."""
    if not _ASKED.fullmatch(of):
        cure = "Give the number of a model version, dataset/vN, or the first 6 or more hex digits of a media id."
        raise UnknownError(of[:80], "is no name of anything here", cure)
    found = find(request.app.state.store, of)
    kind = "model" if isinstance(found, ModelLineage) else "dataset" if isinstance(found, DatasetLineage) else "media"
    return page(request, "lineage", visitor, kind=kind, found=found)
