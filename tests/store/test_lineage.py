"""Lineage by one identifier (a version, dataset, file or prefix of an id), and takedowns."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realframe.cli import app
from realframe.errors import MetadataError, RealframeError
from realframe.registry import model_registry
from realframe.store import takedown
from realframe.store.document_base import Membership
from realframe.store.index_documents import Dataset, Media, Model, SplitCount, TrainingRun
from realframe.store.lineage import DatasetLineage, MediaLineage, ModelLineage, find_lineage, get_media_lineage, get_model_lineage
from realframe.store.repository import Store
from realframe.store.user_documents import Takedown
from tests import run_folder
from tests.state_fixtures import empty_registry, three_versions

__all__ = ["empty_registry", "three_versions"]

OLD, NEW = "d" * 12, "e" * 12
COMMIT, RUN = "1234567" + "c" * 33, "765432" + "b" * 26


@pytest.fixture
def chain(store: Store) -> Store:
    """Items 0 to 5, all in both datasets; version 1 is of the old dataset, versions 2 and 3 of the new one."""
    rows = run_folder.make_media_table(6).to_dict("records")
    store.upsert([Media.model_validate({name: row[name] for name in Media.model_fields if name in row}) for row in rows])
    ids = [row["media_id"] for row in rows]
    for number, digest in enumerate((OLD, NEW), 1):
        store.upsert([Dataset(version=digest, items=6, counts=(SplitCount(split="train", label="real", kind="image", items=4),))])
        store.add_to_set(Dataset, [digest], "tags", f"dataset/v{number}")
        store.add_to_set(Dataset, [digest], "commits", f"{number}dadad" + "0" * 34)
        store.add_to_set(Media, ids[:4], "datasets", Membership(version=digest, split="train"))
        store.add_to_set(Media, ids[4:], "datasets", Membership(version=digest, split="test"))
    run = {"recipe": "scratch", "backbone": "residual_cnn", "weights": "random", "params": {}, "best": {}, "seconds": 3.0}
    store.upsert([TrainingRun(run_id=RUN, dataset=OLD, **run)])
    shared = {"recipe": "scratch", "created": "2026-01-01T00:00:00+00:00"}
    facts = [(1, OLD, RUN, COMMIT), (2, NEW, "8" * 32, "2dadad" + "0" * 34), (3, NEW, "9" * 32, "3" * 40)]
    for number, digest, run_id, commit in facts:
        store.upsert([Model(version=number, dataset=digest, run_id=run_id, commit=commit, sha256=run_folder.media_id(number), **shared)])
    return store


def _find_key(store: Store, identifier: str) -> object:
    found = find_lineage(store, identifier)
    if isinstance(found, ModelLineage):
        return found.model.version
    return found.dataset.version if isinstance(found, DatasetLineage) else found.media.media_id


def test_an_identifier_finds_the_record_of_its_kind(chain: Store, tmp_path: Path) -> None:
    (tmp_path / "renamed.mp4").write_bytes(b"3")  # media item 3 of the table is the hash of its number
    keys = {
        "3": 3,
        "dataset/v2": NEW,
        OLD: OLD,
        OLD[:7]: OLD,
        COMMIT[:8]: 1,
        RUN[:6]: 1,
        "2dadad": 2,  # a commit of a dataset and of a model that was trained in it
        "1dadad": OLD,
        run_folder.media_id(5)[:8].upper(): run_folder.media_id(5),
        str(tmp_path / "renamed.mp4"): run_folder.media_id(3),
    }
    assert {word: _find_key(chain, word) for word in keys} == keys


@pytest.mark.parametrize("word", ["dataset/v9", "abc", "no such thing", "77", "abcdef"])
def test_an_identifier_of_no_record_is_an_error(chain: Store, word: str) -> None:
    with pytest.raises(MetadataError):
        find_lineage(chain, word)


def test_an_identifier_of_several_records_is_an_error_that_names_them(chain: Store) -> None:
    rows = [media for media in chain.find(Media) if media.media_id == run_folder.media_id(0)]
    chain.upsert([rows[0].model_copy(update={"media_id": OLD[:8] + "0" * 56})])
    with pytest.raises(MetadataError, match=f"ids of 2 records begin with it: dataset {OLD}, {OLD[:8]}"):
        find_lineage(chain, OLD[:8])


@pytest.mark.slow
def test_the_command_shows_the_chain_from_version_to_media_and_back(chain: Store, empty_registry: Path) -> None:
    forth = CliRunner().invoke(app, ["lineage", "1"])
    assert forth.exit_code == 0, forth.output
    output = forth.stdout
    places = [output.index(word) for word in ("version 1", RUN, COMMIT[:10], f"{OLD} dataset/v1", run_folder.media_id(0)[:12])]
    assert places == sorted(places)
    back = CliRunner().invoke(app, ["lineage", run_folder.media_id(5)[:10]]).stdout
    assert all(word in back for word in (f"test of dataset {OLD} dataset/v1", "version 1", "version 2", "version 3", "clips/5.mp4"))
    both = CliRunner().invoke(app, ["lineage", "dataset/v1"]).stdout
    assert all(word in both for word in ("6 media items", RUN, "version 1", "1dadad")) and "version 2" not in both
    assert len(json.loads(CliRunner().invoke(app, ["lineage", "dataset/v1", "--json"]).stdout)["items"]) == 6


@pytest.mark.slow
def test_a_missing_champion_is_an_error(chain: Store, empty_registry: Path) -> None:
    refused = CliRunner().invoke(app, ["lineage", "champion"]).exception
    assert isinstance(refused, RealframeError) and refused.code == "registry.refused"


@pytest.mark.slow
def test_a_takedown_records_every_dataset_and_model_version_that_used_the_item(chain: Store, three_versions: Path) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 2)
    media_id = run_folder.media_id(2)
    command = ["takedown", media_id[:9], "-m", "the person in it asked", "--user", "anna"]
    refused = CliRunner().invoke(app, command, input="n\n")
    assert refused.exit_code == 1 and not chain.find_keys(Takedown)
    done = CliRunner().invoke(app, [*command, "--yes"])
    assert done.exit_code == 0, done.output
    assert f"train of dataset {OLD} dataset/v1; model versions: 1" in done.stdout
    assert f"train of dataset {NEW} dataset/v2; model versions: 2 champion, 3 challenger" in done.stdout
    assert "The champion is among them" in done.stdout
    request = chain.get(Takedown, media_id)
    assert request and (request.models, request.requested_by, request.reason) == ((1, 2, 3), "anna", "the person in it asked")
    assert {membership.version for membership in request.datasets} == {OLD, NEW}
    again = CliRunner().invoke(app, ["takedown", media_id, "-m", "another reason", "--yes"]).stdout
    assert "the person in it asked" in again and takedown.list_taken_down_ids(chain) == {media_id}
    shown = CliRunner().invoke(app, ["lineage", media_id]).stdout
    assert "taken down" in shown and "anna" in shown
    assert "1 of its items were taken down" in CliRunner().invoke(app, ["lineage", "3"]).stdout
    found = find_lineage(chain, media_id)
    assert isinstance(found, MediaLineage) and found.taken_down == request


@pytest.mark.slow
def test_an_item_that_no_run_used_can_be_taken_down(chain: Store, empty_registry: Path, tmp_path: Path) -> None:
    (tmp_path / "new.jpg").write_bytes(b"never seen")
    done = CliRunner().invoke(app, ["takedown", str(tmp_path / "new.jpg"), "-m", "asked to", "--yes"])
    assert done.exit_code == 0, done.output
    assert "No dataset version contains it" in done.stdout and len(takedown.list_taken_down_ids(chain)) == 1
    assert (tmp_path / "new.jpg").exists()  # a user's own file is the user's


def test_a_file_is_found_by_its_bytes(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "renamed.mp4"
    file.write_bytes(b"0")  # media item 0 of the table is the hash of its number
    row = run_folder.make_media_table(1).iloc[0].to_dict()
    store.upsert([Media.model_validate({name: row[name] for name in Media.model_fields if name in row})])
    assert get_media_lineage(store, str(file)).media.path == "clips/0.mp4"


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [("no file", "neither a file nor"), ("abc", "neither a file nor"), ("0" * 10, "no run .* used it")],
)
def test_an_unknown_media_item_is_an_error(identifier: str, reason: str, store: Store) -> None:
    with pytest.raises(MetadataError, match=reason):
        get_media_lineage(store, identifier)


def test_a_prefix_of_several_media_items_is_an_error(store: Store) -> None:
    row = run_folder.make_media_table(1).iloc[0].to_dict()
    facts = {name: row[name] for name in Media.model_fields if name in row}
    store.upsert([Media.model_validate(facts | {"media_id": "abcdef" + digit * 58}) for digit in "01"])
    with pytest.raises(MetadataError, match="ids of 2 media items begin"):
        get_media_lineage(store, "ABCDEF")


def test_an_unknown_model_version_is_an_error_that_lists_the_known_ones(store: Store) -> None:
    facts = {"run_id": "r", "commit": "c", "recipe": "scratch", "created": "2026-01-01T00:00:00+00:00", "dataset": "a" * 12}
    store.upsert([Model(version=number, sha256=run_folder.media_id(number), **facts) for number in (2, 10)])
    with pytest.raises(MetadataError, match=r"not in the index \(known: 2, 10\)"):
        get_model_lineage(store, 3)
