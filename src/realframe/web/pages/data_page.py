"""The data: dataset versions, what each holds, what is in quarantine and why, and a look at the frames."""

import re
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from realframe.data.split import SPLITS
from realframe.errors import RealframeError
from realframe.presentation.sprites import contact_sheet
from realframe.runs.dataset_versions import DatasetContents, DatasetVersion, contents_of, dataset_versions, item_counts, shard_of
from realframe.store.documents import Dataset, Model
from realframe.store.repository import Store
from realframe.store.takedown import taken_down_ids
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page, paged

router = APIRouter(prefix="/data")
Reader = Annotated[User, Depends(signed_in)]
Page = Annotated[int, Query(alias="page")]
_ITEMS, _ROWS, _MOST = 24, 50, 200
_ID = re.compile("[0-9a-f]{64}")


@router.get("")
def newest(request: Request, visitor: Reader) -> Response:
    """Go to the newest version."""
    versions = dataset_versions(request.app.state.settings.root)
    if not versions:
        return page(request, "data", visitor, versions=[], version=None)
    return RedirectResponse(f"/data/{_name(versions[0])}", 303)


@router.get("/v{number:int}")
def show(request: Request, number: int, visitor: Reader) -> Response:
    """Show what a version holds."""
    store, root = request.app.state.store, request.app.state.settings.root
    versions, version = _versions(request, number)
    facts: dict[str, Any] = {"held": None, "lost": ""}
    try:
        facts["held"] = held = contents_of(root, version)
        facts |= _summary(held)
        facts["gone"] = len(taken_down_ids(store) & set(held.items.index))
    except RealframeError as error:
        facts["lost"] = str(error)
    return page(request, "data", visitor, versions=_listed(store, versions), version=version, number=number, splits=SPLITS, **facts)


@router.get("/v{number:int}/items")
def items(
    request: Request, number: int, visitor: Reader, split: str = "", label: str = "", generator: str = "", number_of_page: Page = 1
) -> Response:
    """Show a page of items with a few frames of each."""
    root = request.app.state.settings.root
    _, version = _versions(request, number)
    held = contents_of(root, version)
    chosen = {"split": split, "label": label, "generator": generator}
    rows = held.items.drop(index=list(taken_down_ids(request.app.state.store)), errors="ignore")
    for name, value in chosen.items():
        rows = rows[rows[name] == value] if value else rows
    shown = paged(rows, number_of_page, _ITEMS, chosen)
    cached = {media_id for media_id in shown.rows.index if shard_of(root, version, media_id)}
    generators = sorted(name for name in held.items["generator"].unique() if name)
    facts: dict[str, Any] = {"shown": shown, "cached": cached, "chosen": chosen, "splits": SPLITS, "generators": generators}
    return page(request, "data_items", visitor, version=version, number=number, **facts)


@router.get("/v{number:int}/items/{media_id}.jpg")
def frames(request: Request, number: int, media_id: str, visitor: Reader) -> Response:
    """Send a few clean frames of an item, side by side; of one that was taken down there are none."""
    root, nothing = request.app.state.settings.root, HTTPException(404, "There are no frames of this item here.")
    _, version = _versions(request, number)
    if not _ID.fullmatch(media_id) or media_id in taken_down_ids(request.app.state.store):
        raise nothing
    shard = shard_of(root, version, media_id) if media_id in contents_of(root, version).items.index else None
    if shard is None:
        raise nothing
    return Response(contact_sheet(shard), media_type="image/jpeg")


@router.get("/v{number:int}/quarantine")
def quarantine(request: Request, number: int, visitor: Reader, code: str = "", number_of_page: Page = 1) -> Response:
    """Show which files are in quarantine, and why."""
    _, version = _versions(request, number)
    rejected = contents_of(request.app.state.settings.root, version).rejected
    rows = rejected[rejected["code"] == code] if code else rejected
    shown = paged(rows, number_of_page, _ROWS, {"code": code})
    codes = sorted(rejected["code"].unique())
    return page(request, "data_quarantine", visitor, version=version, number=number, shown=shown, code=code, codes=codes)


def _versions(request: Request, number: int) -> tuple[list[DatasetVersion], DatasetVersion]:
    versions = dataset_versions(request.app.state.settings.root)
    found = next((version for version in versions if version.tag == f"dataset/v{number}"), None)
    if found is None:
        raise HTTPException(404, f"There is no dataset/v{number} here.")
    return versions, found


def _listed(store: Store, versions: list[DatasetVersion]) -> list[dict[str, Any]]:
    """Each version with how many items it holds, where the index knows it, and the model versions that came from it."""
    known = {dataset.version: dataset.items for dataset in store.find(Dataset)}
    models = sorted(store.find(Model), key=lambda model: model.version)
    return [
        {
            "version": version,
            "name": _name(version),
            "items": known.get(version.digest),
            "models": [model.version for model in models if model.dataset == version.digest],
        }
        for version in versions
    ]


def _summary(held: DatasetContents) -> dict[str, Any]:
    tables = {name: item_counts(held.items, by) for name, by in (("Kinds", "kind"), ("Generators", "generator"), ("Sources", "source"))}
    reasons = Counter(zip(held.rejected["stage"], held.rejected["code"], strict=True))
    return {"tables": tables, "most": _MOST, "reasons": [(stage, code, count) for (stage, code), count in sorted(reasons.items())]}


def _name(version: DatasetVersion) -> str:
    return version.tag.removeprefix("dataset/")
