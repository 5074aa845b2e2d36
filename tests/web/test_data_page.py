"""The data pages: what a dataset version holds, what is in quarantine, a look at its frames; and what of it nobody is shown."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from realframe.data.manifest import dataset_version
from realframe.settings import Settings
from realframe.store import accounts, takedown
from realframe.store.documents import Model
from realframe.store.index_sync import sync_all
from realframe.store.repository import Store
from realframe.web.app import create_app
from realframe.web.pages import sign_in_page
from tests.web import data_repository

PASSWORD = "correct horse battery"
V1, ITEM = "/data/v1", re.compile(r'href="/lineage/([0-9a-f]{64})"')


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("data") / "repository"
    root.mkdir()
    return root, data_repository.make(root)


@pytest.fixture
def splits(made: tuple[Path, pd.DataFrame]) -> pd.DataFrame:
    return made[1]


@pytest.fixture
def client(made: tuple[Path, pd.DataFrame], settings: Settings, store: Store) -> Iterator[TestClient]:
    with _entered(settings.model_copy(update={"root": made[0]}), store) as opened:
        yield opened


def _entered(settings: Settings, store: Store) -> TestClient:
    """Return a client of whom an analyst is signed in."""
    sign_in_page._limiter.storage.reset()
    accounts.add(store, "ann", "analyst", PASSWORD)
    client = TestClient(create_app(settings), base_url="http://127.0.0.1:8000")
    with client:
        assert client.post("/sign-in", data={"name": "ann", "password": PASSWORD}, follow_redirects=False).status_code == 303
    return client


def _row(page: str, *head: str) -> list[str]:
    """The cells of the row that begins with these."""
    for row in re.findall(r"<tr>.*?</tr>", page, re.S):
        cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        if tuple(cells[: len(head)]) == head:
            return cells[len(head) :]
    raise AssertionError(f"no row {head}")


def _walk(client: TestClient, address: str) -> list[str]:
    """The ids on all pages, by following the links to the next one."""
    found = []
    while address:
        page = client.get(address).text
        found += ITEM.findall(page)
        after = re.search(r'rel="next" href="([^"]+)"', page)
        address = after[1].replace("&amp;", "&") if after else ""
    return found


def test_the_newest_version_comes_first_and_all_are_listed(client: TestClient, made: tuple[Path, pd.DataFrame], store: Store) -> None:
    assert _row(client.get(V1).text, "dataset/v1")[1] == "not indexed"
    facts = {"dataset": dataset_version(made[1]), "sha256": "a" * 64, "commit": "c" * 40, "recipe": "scratch", "created": "2026-01-01"}
    sync_all(made[0], store, lambda: [Model(version=number, run_id=str(number), **facts) for number in (10, 9)])
    page = client.get("/data")
    assert page.url.path == "/data/v2"
    assert _row(page.text, "dataset/v1")[1] == str(len(made[1]))
    assert _row(page.text, "dataset/v1")[-1].split() == ["9", "10"]  # the model versions
    assert _row(page.text, "dataset/v2")[-1] == "none"


def test_counts_are_those_of_the_tables(client: TestClient, splits: pd.DataFrame) -> None:
    page = client.get(V1).text
    for by, name, label in (("kind", "image", "real"), ("kind", "video", "fake"), ("generator", "sd1.5", "fake")):
        of = splits[(splits[by] == name) & (splits["label"] == label)]
        counts = [str((of["split"] == split).sum()) for split in ("train", "val", "test")]
        assert _row(page, name, label)[:4] == [*counts, str(len(of))]
    assert "style=" not in page
    assert page.count('<svg class="bar"') == 8
    assert "1 unmatched" in page


def test_the_audit_of_shortcuts_is_shown_with_its_interval(client: TestClient) -> None:
    page = client.get(V1).text
    assert "allowed all the same" in page
    assert "0.82 (0.77 to 0.86)" in page
    assert "too few items" in page


def test_every_item_is_on_one_page(client: TestClient, splits: pd.DataFrame) -> None:
    found = _walk(client, f"{V1}/items")
    assert sorted(found) == sorted(splits["media_id"])
    chosen = splits[(splits["split"] == "test") & (splits["label"] == "fake") & (splits["generator"] == "sd1.5")]
    assert sorted(_walk(client, f"{V1}/items?split=test&label=fake&generator=sd1.5")) == sorted(chosen["media_id"])
    assert not _walk(client, f"{V1}/items?generator=%3Cb%3E")
    assert ITEM.findall(client.get(f"{V1}/items?page=999999").text)


def test_frames_are_one_picture_of_up_to_four_in_the_order_of_time(client: TestClient, splits: pd.DataFrame) -> None:
    videos, images = (splits[(splits["kind"] == kind) & (splits.index > 0)]["media_id"] for kind in ("video", "image"))
    answer = client.get(f"{V1}/items/{videos.iloc[0]}.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as picture:
        greys = [picture.getpixel((112 * place + 56, 56))[0] for place in range(4)]  # type: ignore[index]
        assert picture.size == (448, 112)
    assert greys == pytest.approx([0, 80, 120, 200], abs=4)  # frames 0, 2, 3 and 5 of six
    with Image.open(io.BytesIO(client.get(f"{V1}/items/{images.iloc[0]}.jpg").content)) as picture:
        assert picture.size == (112, 112)


def test_a_shard_that_is_not_here_is_told_and_the_others_are_shown(client: TestClient, splits: pd.DataFrame) -> None:
    missing = splits["media_id"][0]
    pages = [client.get(f"{V1}/items?page={number}").text for number in range(1, 5)]
    assert sum(page.count("no frames on this machine") for page in pages) == 1
    assert sum(page.count("<img src=") for page in pages) == len(splits) - 1 + len(pages)  # and the brand
    assert client.get(f"{V1}/items/{missing}.jpg").status_code == 404


def test_what_was_taken_down_is_shown_nowhere(client: TestClient, splits: pd.DataFrame, store: Store, settings: Settings) -> None:
    gone = splits["media_id"][5]
    assert client.get(f"{V1}/items/{gone}.jpg").status_code == 200
    takedown.record(store, takedown.affected_by(store, settings.root, gone), "asked for", "ann")
    assert client.get(f"{V1}/items/{gone}.jpg").status_code == 404
    assert gone not in _walk(client, f"{V1}/items")
    assert "1 of these items was taken down" in client.get(V1).text


def test_only_items_of_the_version_have_frames(client: TestClient) -> None:
    for asked in ("..%2F..%2Fdvc.yaml", "A" * 64, "f" * 64, "0", "%00", "-" * 9000):
        assert client.get(f"{V1}/items/{asked}.jpg").status_code == 404


def test_an_item_of_another_version_has_no_frames_in_this_one(client: TestClient, splits: pd.DataFrame) -> None:
    later = splits["media_id"].iloc[-1]
    assert client.get(f"{V1}/items/{later}.jpg").status_code == 200
    assert client.get(f"/data/v2/items/{later}.jpg").status_code == 404


def test_the_quarantine_says_what_and_why_and_runs_no_file_name(client: TestClient) -> None:
    assert _row(client.get(V1).text, "media.empty") == ["catalog", "60"]
    everything = [client.get(f"{V1}/quarantine?page={number}").text for number in (1, 2)]
    assert sum(page.count("<code>media.") for page in everything) == 61
    page = client.get(f"{V1}/quarantine?code=media.not-media").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "is no image or video" in page
    assert page.count("<code>media.") == 1


def test_nobody_is_shown_anything_who_is_not_signed_in(client: TestClient, splits: pd.DataFrame) -> None:
    client.cookies.clear()
    for path in ("/data", V1, f"{V1}/items", f"{V1}/quarantine", f"{V1}/items/{splits['media_id'][1]}.jpg"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")


def test_versions_that_are_not_there(client: TestClient) -> None:
    for path in ("/data/v9", "/data/v9/items", "/data/vx", "/data/v-1", "/data/v1/nothing"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(("lost", "said"), [("files", "neither in the DVC cache nor on the remote"), ("shards", "dvc fetch --all-tags")])
def test_data_that_are_not_on_this_machine_are_told(
    made: tuple[Path, pd.DataFrame], tmp_path: Path, settings: Settings, store: Store, lost: str, said: str
) -> None:
    root, splits = made
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for file in (copy / ".dvc" / "cache" / "files" / "md5").rglob("*"):
        if file.is_file() and (lost == "files" or file.read_bytes()[:10] == b"shard.json"):
            file.unlink()
    with _entered(settings.model_copy(update={"root": copy}), store) as client:
        page = client.get(f"{V1}" if lost == "files" else f"{V1}/items")
        assert page.status_code == 200
        assert said in page.text
        assert "All versions" in page.text or len(ITEM.findall(page.text)) == 24
        assert client.get(f"{V1}/items/{splits['media_id'][1]}.jpg").status_code == 404


def test_before_the_first_version_it_says_how_to_make_one(checkout: Path, settings: Settings, store: Store) -> None:
    with _entered(settings.model_copy(update={"root": checkout}), store) as client:
        assert "realframe run prepare_data" in client.get("/data").text
