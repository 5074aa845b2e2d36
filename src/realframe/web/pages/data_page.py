"""The data pages: the dataset versions, their item counts and frames, and the quarantined files with the reasons."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

import pandas as pd
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from realframe.data.split import SPLITS
from realframe.errors import RealframeError
from realframe.presentation.sprites import contact_sheet
from realframe.runs.dataset_versions import DatasetContents, DatasetVersion, dataset_versions, find_shard, item_counts, load_contents
from realframe.store.index_documents import Dataset, Model
from realframe.store.repository import Store
from realframe.store.takedown import list_taken_down_ids
from realframe.web.auth.sessions import SignedInUser
from realframe.web.rendering import render_page

router = APIRouter(prefix="/data")
PageNumber = Annotated[int, Query(alias="page")]
_ITEMS_PER_PAGE, _FILES_PER_PAGE, _MAX_COUNT_ROWS = 24, 50, 200
_MEDIA_ID = re.compile("[0-9a-f]{64}")


@router.get("")
def open_newest_version(request: Request, user: SignedInUser) -> Response:
    """Redirect to the newest version."""
    versions = dataset_versions(request.app.state.settings.root)
    if not versions:
        return render_page(request, "data", user, versions=[], version=None)
    return RedirectResponse(f"/data/{_short_name(versions[0])}", 303)


@router.get("/v{number}")
def show_version(request: Request, number: str, user: SignedInUser) -> Response:
    """Show the item counts, the quarantine and the shortcut audit of a version."""
    store, root = request.app.state.store, request.app.state.settings.root
    versions, version = _find_version(request, number)
    context: dict[str, Any] = {"contents": None, "error": ""}
    try:
        context["contents"] = contents = load_contents(root, version)
        context |= _count_contents(contents)
        context["taken_down"] = len(list_taken_down_ids(store) & set(contents.items.index))
    except RealframeError as error:
        context["error"] = str(error)
    version_rows = _version_rows(store, versions)
    return render_page(request, "data", user, versions=version_rows, version=version, number=number, splits=SPLITS, **context)


@router.get("/v{number}/items")
def list_items(
    request: Request,
    number: str,
    user: SignedInUser,
    split: str = "",
    label: str = "",
    generator: str = "",
    page_number: PageNumber = 1,
) -> Response:
    """Show a page of items with a few frames of each."""
    root = request.app.state.settings.root
    _, version = _find_version(request, number)
    contents = load_contents(root, version)
    filters = {"split": split, "label": label, "generator": generator}
    items = contents.items.drop(index=list(list_taken_down_ids(request.app.state.store)), errors="ignore")
    for name, value in filters.items():
        items = items[items[name] == value] if value else items
    page = paginate(items, page_number, _ITEMS_PER_PAGE, filters)
    cached_ids = {media_id for media_id in page.rows.index if find_shard(root, version, media_id)}
    generators = sorted(name for name in contents.items["generator"].unique() if name)
    context: dict[str, Any] = {"page": page, "cached_ids": cached_ids, "filters": filters, "splits": SPLITS, "generators": generators}
    return render_page(request, "data_items", user, version=version, number=number, **context)


@router.get("/v{number}/items/{media_id}.jpg")
def get_frames(request: Request, number: str, media_id: str, user: SignedInUser) -> Response:
    """Send a few clean frames of an item side by side; an item that was taken down has none."""
    root, not_found = request.app.state.settings.root, HTTPException(404, "This machine has no frames of this item.")
    _, version = _find_version(request, number)
    if not _MEDIA_ID.fullmatch(media_id) or media_id in list_taken_down_ids(request.app.state.store):
        raise not_found
    shard = find_shard(root, version, media_id) if media_id in load_contents(root, version).items.index else None
    if shard is None:
        raise not_found
    return Response(contact_sheet(shard), media_type="image/jpeg")


@router.get("/v{number}/quarantine")
def list_quarantine(request: Request, number: str, user: SignedInUser, code: str = "", page_number: PageNumber = 1) -> Response:
    """Show the quarantined files and the reasons."""
    _, version = _find_version(request, number)
    rejected = load_contents(request.app.state.settings.root, version).rejected
    rows = rejected[rejected["code"] == code] if code else rejected
    page = paginate(rows, page_number, _FILES_PER_PAGE, {"code": code})
    codes = sorted(rejected["code"].unique())
    return render_page(request, "data_quarantine", user, version=version, number=number, page=page, code=code, codes=codes)


@dataclass(frozen=True)
class TablePage:
    """One page of a table.

    Attributes:
        rows: the rows of this page.
        total: how many rows there are on all pages.
        first: the position of the first row, from 1; 0 if there is none.
        last: the position of the last row.
        previous_query: the query of the previous page; empty on the first page.
        next_query: the query of the next page; empty on the last page.
    """

    rows: pd.DataFrame
    total: int
    first: int
    last: int
    previous_query: str
    next_query: str


def paginate(table: pd.DataFrame, page_number: int, page_size: int, filters: dict[str, str]) -> TablePage:
    """Return a page of a table; a number beyond the last page gives the last page.

    Args:
        table: all rows.
        page_number: the page, from 1.
        page_size: the maximum number of rows on a page.
        filters: the query parameters that selected the rows; they are part of the queries of the other pages.
    """
    page_count = max(1, -(-len(table) // page_size))
    page_number = min(max(1, page_number), page_count)
    start = (page_number - 1) * page_size
    rows = table.iloc[start : start + page_size]
    query = {name: value for name, value in filters.items() if value}
    previous_query, next_query = (
        urlencode({**query, "page": number}) if 1 <= number <= page_count else "" for number in (page_number - 1, page_number + 1)
    )
    return TablePage(rows, len(table), start + bool(len(rows)), start + len(rows), previous_query, next_query)


def _find_version(request: Request, number: str) -> tuple[list[DatasetVersion], DatasetVersion]:
    versions = dataset_versions(request.app.state.settings.root)
    for version in versions:
        if version.tag == f"dataset/v{number}":
            return versions, version
    raise HTTPException(404, f"dataset/v{number[:20]} does not exist in this repository.")


def _version_rows(store: Store, versions: list[DatasetVersion]) -> list[dict[str, Any]]:
    """Return each version with its number of items, if it is indexed, and the model versions trained on it."""
    item_counts_by_digest = {dataset.version: dataset.items for dataset in store.find(Dataset)}
    models = sorted(store.find(Model), key=lambda model: model.version)
    return [
        {
            "version": version,
            "name": _short_name(version),
            "items": item_counts_by_digest.get(version.digest),
            "models": [model.version for model in models if model.dataset == version.digest],
        }
        for version in versions
    ]


def _count_contents(contents: DatasetContents) -> dict[str, Any]:
    columns = {"Kinds": "kind", "Generators": "generator", "Sources": "source"}
    tables = {title: item_counts(contents.items, column) for title, column in columns.items()}
    reasons = Counter(zip(contents.rejected["stage"], contents.rejected["code"], strict=True))
    reason_rows = [(stage, code, count) for (stage, code), count in sorted(reasons.items())]
    return {"tables": tables, "max_rows": _MAX_COUNT_ROWS, "reasons": reason_rows}


def _short_name(version: DatasetVersion) -> str:
    return version.tag.removeprefix("dataset/")
