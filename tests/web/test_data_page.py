"""The data pages: the counts of a dataset version, its frames and its quarantine, and what must not be shown."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from realframe.data.manifest import compute_dataset_digest
from realframe.settings import Settings
from realframe.store import accounts, takedown
from realframe.store.index_documents import Model
from realframe.store.index_sync import sync_all
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.pages import sign_in_page
from tests.web import data_repository

PASSWORD = "correct horse battery"
V1, ITEM_LINK = "/data/v1", re.compile(r'href="/lineage/([0-9a-f]{64})"')


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("data") / "repository"
    root.mkdir()
    return root, data_repository.create(root)


@pytest.fixture
def splits(repository: tuple[Path, pd.DataFrame]) -> pd.DataFrame:
    return repository[1]


@pytest.fixture
def client(repository: tuple[Path, pd.DataFrame], settings: Settings, store: Store) -> Iterator[TestClient]:
    with _sign_in(settings.model_copy(update={"root": repository[0]}), store) as client:
        yield client


def _sign_in(settings: Settings, store: Store) -> TestClient:
    """Return a client that is signed in as an analyst."""
    sign_in_page._limiter.storage.reset()
    accounts.add_account(store, "ann", "analyst", PASSWORD)
    client = TestClient(create_app(settings), base_url="http://127.0.0.1:8000")
    with client:
        assert client.post("/sign-in", data={"name": "ann", "password": PASSWORD}, follow_redirects=False).status_code == 303
    return client


def _find_row(page: str, *head: str) -> list[str]:
    """Return the other cells of the row whose first cells are these."""
    for row in re.findall(r"<tr>.*?</tr>", page, re.S):
        cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        if tuple(cells[: len(head)]) == head:
            return cells[len(head) :]
    raise AssertionError(f"no row {head}")


def _list_ids(client: TestClient, url: str) -> list[str]:
    """Return the media ids on all pages, following the links to the next page."""
    media_ids = []
    while url:
        page = client.get(url).text
        media_ids += ITEM_LINK.findall(page)
        next_link = re.search(r'rel="next" href="([^"]+)"', page)
        url = next_link[1].replace("&amp;", "&") if next_link else ""
    return media_ids


def test_the_newest_version_comes_first_and_all_are_listed(client: TestClient, repository: tuple[Path, pd.DataFrame], store: Store) -> None:
    assert _find_row(client.get(V1).text, "dataset/v1")[1] == "not indexed"
    facts = {
        "dataset": compute_dataset_digest(repository[1]),
        "sha256": "a" * 64,
        "commit": "c" * 40,
        "recipe": "scratch",
        "created": "2026-01-01",
    }
    sync_all(repository[0], store, lambda: [Model(version=number, run_id=str(number), **facts) for number in (10, 9)])
    page = client.get("/data")
    assert page.url.path == "/data/v2"
    assert _find_row(page.text, "dataset/v1")[1] == str(len(repository[1]))
    assert _find_row(page.text, "dataset/v1")[-1].split() == ["9", "10"]  # model versions
    assert _find_row(page.text, "dataset/v2")[-1] == "none"


def test_counts_match_the_tables(client: TestClient, splits: pd.DataFrame) -> None:
    page = client.get(V1).text
    for column, name, label in (("kind", "image", "real"), ("kind", "video", "fake"), ("generator", "sd1.5", "fake")):
        items = splits[(splits[column] == name) & (splits["label"] == label)]
        counts = [str((items["split"] == split).sum()) for split in ("train", "val", "test")]
        assert _find_row(page, name, label)[:4] == [*counts, str(len(items))]
    assert "style=" not in page
    assert page.count('<svg class="bar"') == sum(len(splits.groupby([column, "label"])) for column in ("kind", "generator", "source"))
    assert "1 unmatched" in page


def test_the_shortcut_audit_is_shown_with_its_interval(client: TestClient) -> None:
    page = client.get(V1).text
    assert "not passed, but allowed" in page
    assert "0.82 (0.77 to 0.86)" in page
    assert "too few items" in page


def test_every_item_is_on_exactly_one_page(client: TestClient, splits: pd.DataFrame) -> None:
    media_ids = _list_ids(client, f"{V1}/items")
    assert sorted(media_ids) == sorted(splits["media_id"])
    selected = splits[(splits["split"] == "test") & (splits["label"] == "fake") & (splits["generator"] == "sd1.5")]
    assert sorted(_list_ids(client, f"{V1}/items?split=test&label=fake&generator=sd1.5")) == sorted(selected["media_id"])
    assert not _list_ids(client, f"{V1}/items?generator=%3Cb%3E")
    assert ITEM_LINK.findall(client.get(f"{V1}/items?page=999999").text)


def test_the_picture_of_an_item_shows_up_to_four_frames_in_time_order(client: TestClient, splits: pd.DataFrame) -> None:
    videos, images = (splits[(splits["kind"] == kind) & (splits.index > 0)]["media_id"] for kind in ("video", "image"))
    response = client.get(f"{V1}/items/{videos.iloc[0]}.jpg")
    assert response.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(response.content)) as picture:
        greys = [picture.getpixel((112 * place + 56, 56))[0] for place in range(4)]  # type: ignore[index]
        assert picture.size == (448, 112)
    assert greys == pytest.approx([0, 80, 120, 200], abs=4)  # frames 0, 2, 3 and 5 of six
    with Image.open(io.BytesIO(client.get(f"{V1}/items/{images.iloc[0]}.jpg").content)) as picture:
        assert picture.size == (112, 112)


def test_a_missing_shard_is_reported_and_the_others_are_shown(client: TestClient, splits: pd.DataFrame) -> None:
    missing = splits["media_id"][0]
    pages = [client.get(f"{V1}/items?page={number}").text for number in range(1, 5)]
    assert sum(page.count("no frames on this machine") for page in pages) == 1
    assert sum(page.count("<img src=") for page in pages) == len(splits) - 1 + len(pages)  # the logo is on each page
    assert client.get(f"{V1}/items/{missing}.jpg").status_code == 404


def test_frames_of_taken_down_items_are_not_shown(client: TestClient, splits: pd.DataFrame, store: Store, settings: Settings) -> None:
    taken_down = splits["media_id"][5]
    assert client.get(f"{V1}/items/{taken_down}.jpg").status_code == 200
    takedown.record_takedown(store, takedown.find_affected_versions(store, settings.root, taken_down), "asked for", "ann")
    assert client.get(f"{V1}/items/{taken_down}.jpg").status_code == 404
    assert taken_down not in _list_ids(client, f"{V1}/items")
    assert "1 of these items was taken down" in client.get(V1).text


def test_only_items_of_the_version_have_frames(client: TestClient) -> None:
    for media_id in ("..%2F..%2Fdvc.yaml", "A" * 64, "f" * 64, "0", "%00", "-" * 9000):
        assert client.get(f"{V1}/items/{media_id}.jpg").status_code == 404


def test_an_item_of_another_version_has_no_frames_in_this_one(client: TestClient, splits: pd.DataFrame) -> None:
    later = splits["media_id"].iloc[-1]
    assert client.get(f"{V1}/items/{later}.jpg").status_code == 200
    assert client.get(f"/data/v2/items/{later}.jpg").status_code == 404


def test_the_quarantine_lists_files_with_reasons_and_escapes_names(client: TestClient) -> None:
    assert _find_row(client.get(V1).text, "media.empty") == ["catalog", "60"]
    pages = [client.get(f"{V1}/quarantine?page={number}").text for number in (1, 2)]
    assert sum(page.count("<code>media.") for page in pages) == 61
    page = client.get(f"{V1}/quarantine?code=media.not-media").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "is no image or video" in page
    assert page.count("<code>media.") == 1


def test_pages_redirect_to_the_sign_in_form(client: TestClient, splits: pd.DataFrame) -> None:
    client.cookies.clear()
    for path in ("/data", V1, f"{V1}/items", f"{V1}/quarantine", f"{V1}/items/{splits['media_id'][1]}.jpg"):
        response = client.get(path, follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (303, f"/sign-in?next={path}")


def test_unknown_versions_answer_404(client: TestClient) -> None:
    for path in ("/data/v9", "/data/v9/items", "/data/vx", "/data/v-1", "/data/v1/nothing"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("missing", "message"), [("files", "neither in the DVC cache nor on the remote"), ("shards", "dvc fetch --all-tags")]
)
def test_missing_data_are_reported(
    repository: tuple[Path, pd.DataFrame], tmp_path: Path, settings: Settings, store: Store, missing: str, message: str
) -> None:
    root, splits = repository
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for file in (copy / ".dvc" / "cache" / "files" / "md5").rglob("*"):
        if file.is_file() and (missing == "files" or file.read_bytes()[:10] == b"shard.json"):
            file.unlink()
    with _sign_in(settings.model_copy(update={"root": copy}), store) as client:
        page = client.get(f"{V1}" if missing == "files" else f"{V1}/items")
        assert page.status_code == 200
        assert message in page.text
        assert "All versions" in page.text or len(ITEM_LINK.findall(page.text)) == 24
        assert client.get(f"{V1}/items/{splits['media_id'][1]}.jpg").status_code == 404


def test_without_a_version_the_page_explains_how_to_create_one(checkout: Path, settings: Settings, store: Store) -> None:
    with _sign_in(settings.model_copy(update={"root": checkout}), store) as client:
        assert "realframe run prepare_data" in client.get("/data").text
