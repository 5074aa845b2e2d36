"""Fixtures and settings for all tests: the repository, a temporary checkout, one in which the DAGs have run, the field data, markers."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.trained_checkout import ROOT, SMALL_OVERRIDES, TrainedCheckout, copy_checkout

# before any test module imports TensorFlow: quiet, and one thread for each of the two processes that `make test` runs
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


SHARING_CHECKOUT = ("dags", "services", "cli", "notebooks", "system")
"""The folders whose tests use ``trained_checkout``; they run in one worker, which makes it once."""

LIVE = (
    "tests/dags/test_score_media_dag.py",
    "tests/drift/test_drift_command_and_dag.py",
    "tests/services/test_local_users.py",
    "tests/services/test_service_accounts.py",
    "tests/system/test_live_chain.py",
    "tests/system/test_wheels.py",
)
"""The end-to-end tests that do without it; the other worker runs them meanwhile."""

SLOWEST_FIRST = ("trained_checkout", "live", "web", "worker", "training", "models", "detection", "browser", "media", "drift", "runs")
"""The groups that start first, so that both workers end at about the same time."""

FOLDER_MARKERS = {
    "training": ("training", "models", "detection", "drift", "evaluation", "governance", "scoring", "demo", "registry", "runs"),
    "server": (*SHARING_CHECKOUT, "web", "worker"),
    "browser": ("browser",),
}
"""What the tests of a folder need; ``make check`` leaves these folders out."""
MARKER_OF_FOLDER = {folder: marker for marker, folders in FOLDER_MARKERS.items() for folder in folders}

hypothesis_settings.register_profile("check", max_examples=20)
hypothesis_settings.register_profile("test", max_examples=50)


def _folder(item: pytest.Item) -> str:
    return item.nodeid.split("/")[1]


def _group(nodeid: str) -> str:
    """Return the group of a test: all tests of a group run in one worker."""
    folder = nodeid.split("/")[1]
    if nodeid.split("::")[0] in LIVE:
        return "live"
    return "trained_checkout" if folder in SHARING_CHECKOUT else folder


class ByFolder(LoadScopeScheduling):
    """Give all tests of a group to one worker; ``xdist_group`` has no effect under pytest 9 with xdist 3.8."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    hypothesis_settings.load_profile("check" if "not slow" in config.getoption("markexpr") else "test")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import the tests of a folder that ``-m`` leaves out: they import TensorFlow and Airflow."""
    marker = MARKER_OF_FOLDER.get(collection_path.name)
    return True if marker and f"not {marker}" in config.getoption("markexpr") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if marker := MARKER_OF_FOLDER.get(_folder(item)):
            item.add_marker(marker)
        if "trained_checkout" in getattr(item, "fixturenames", ()):
            item.add_marker("end_to_end")
    groups = [_group(item.nodeid) for item in items]
    order_of_groups = (*SLOWEST_FIRST, *(group for group in dict.fromkeys(groups) if group not in SLOWEST_FIRST))
    ranks = {group: order_of_groups.index(group) for group in groups}
    order = sorted(range(len(items)), key=lambda place: ranks[groups[place]])
    items[:] = [items[place] for place in order]


def _project_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("REALFRAME_") or name == "MONGODB_URI"}


_VARIABLES = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_VARIABLES] = _project_variables()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail the test that leaves a variable of the project behind: the tests after it would use another checkout."""
    yield
    left, before = _project_variables(), item.stash[_VARIABLES]
    changed = sorted(name for name in left.keys() | before.keys() if left.get(name) != before.get(name))
    os.environ.update({name: before[name] for name in changed if name in before})
    for name in changed:
        if name not in before:
            del os.environ[name]
    assert not changed, f"this test or a fixture of it changed {', '.join(changed)} for the tests after it"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder | None:
    return ByFolder(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def field_data() -> Path:
    folder = Path(os.environ.get("REALFRAME_FIELD_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "MANIFEST.csv").exists():
        pytest.skip(f"no field data: {folder} has no MANIFEST.csv; name another folder by REALFRAME_FIELD_DATA")
    return folder


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def trained_checkout(tmp_path_factory: pytest.TempPathFactory) -> TrainedCheckout:
    """A checkout in which the DAGs have run."""
    from realframe.demo.render import render_demo_data
    from realframe.services.airflow_home import airflow_environment
    from realframe.settings import Settings

    root = copy_checkout(tmp_path_factory.mktemp("trained_checkout"))
    media = tmp_path_factory.mktemp("media") / "set"
    rendered = render_demo_data(media, clips=12, images=20, unseen=2)  # five items of a generator, so that it is held out
    inbox = root / "inbox" / "fake"
    inbox.mkdir(parents=True)
    (inbox / "empty.mp4").touch()
    (inbox / "page.mp4").write_text("<!doctype html><title>no film</title>")
    (inbox / "stub.jpg").write_bytes(b"\xff\xd8\xff")  # Pillow fails at it in a way that it does not document
    (inbox / "endless.mp4").write_bytes(b"\0\0\0\x01mdat" + (1 << 62).to_bytes(8, "big"))
    for file in inbox.iterdir():
        os.utime(file, (1, 1))  # it arrived long ago
    variables = {name: value for name, value in os.environ.items() if name not in ("MONGODB_URI", "MLFLOW_TRACKING_URI")}
    env = variables | {k: v for k, v in airflow_environment(Settings(root=root, home=root / ".realframe")).items() if variables.get(k) != v}
    trained = TrainedCheckout(root, env, rendered.unseen_dir, "")
    trained.run_module("realframe", "ingest", str(media))
    conf = json.dumps({"recipe": "scratch", "overrides": SMALL_OVERRIDES})
    dags = ("prepare_data", "train_model", "review_model")
    approval = ("--approve-as", "demo", "--override", "a test's tiny model")
    return replace(trained, log=trained.run_module("realframe.services.headless_dags", *dags, "--conf", conf, *approval))
