"""Both wheels, each installed in an empty environment: the Python API, the command, and what the small one lacks."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.installed_size import build_wheels, find_uv, install_wheel
from realframe.registry import detector_folder, model_registry
from realframe.settings import Settings
from realframe.store.repository import Store
from tests import run_folder
from tests.state_fixtures import embedded_uri, settings, store

__all__ = ["embedded_uri", "settings", "store"]
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

SCORE = """
import json, sys
import realframe
assert "tensorflow" not in sys.modules and "site-packages" in realframe.__file__
from importlib.metadata import distributions
from importlib.resources import files
assert (files("realframe") / "py.typed").is_file()
answer = {"packages": sorted(dist.name for dist in distributions())}
try:
    detection = realframe.Detector.load(sys.argv[1]).detect(sys.argv[2]).detection
    answer |= {"verdict": detection.verdict, "probability": detection.probability, "model": detection.model}
except realframe.RealframeError as error:
    answer |= {"error": str(error)}
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_wheels(tmp_path_factory.mktemp("dist"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_dataset(folder, 40))
    run_folder.write_model(folder, bias=1.5)
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(file)
    return file


def score(python: Path, model: Path | str, photo: Path) -> dict[str, object]:
    """Return what the installed package answers, from a folder that is no checkout."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = [str(python), "-c", SCORE, str(model), str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=photo.parent, env=variables, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_realframe_detect_scores_with_an_exported_folder(wheels: dict[str, Path], run: Path, photo: Path, tmp_path: Path) -> None:
    python = install_wheel(wheels["realframe_detect"], tmp_path / "small")
    exported = tmp_path / "detector"
    detector_folder.write_folder(detector_folder.read_run_folder(run), exported)
    answer = score(python, exported, photo)
    assert answer["verdict"] in ("real", "uncertain", "ai-generated")
    packages = set(answer["packages"])  # type: ignore[call-overload]
    assert "realframe-detect" in packages
    assert not packages & {"apache-airflow-core", "mlflow", "mlflow-skinny", "dvc", "pymongo", "fastapi"}
    refusal = score(python, "champion", photo)["error"]
    assert str(refusal).startswith("champion: ") and "install realframe itself" in str(refusal)
    command = [str(python.with_name("realframe-detect")), "--model", str(exported), "--json", str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=photo.parent, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["probability"] == pytest.approx(answer["probability"], abs=1e-6)
    assert done.stderr.strip() == "" and [file.name for file in photo.parent.iterdir()] == [photo.name]


def test_realframe_scores_with_the_champion(
    wheels: dict[str, Path], settings: Settings, store: Store, run: Path, photo: Path, tmp_path: Path
) -> None:
    version = model_registry.register_folder(run, commit="c" * 40, trainer="Tom")
    model_registry.set_alias(model_registry.CHAMPION, version)
    python = install_wheel(wheels["realframe"], tmp_path / "full")
    answer = score(python, "champion", photo)
    assert answer["verdict"] in ("real", "uncertain", "ai-generated") and answer["model"] == str(version)
    assert "realframe" in answer["packages"]  # type: ignore[operator]


def test_the_version_is_that_of_the_tag_also_without_tags_and_in_a_source_archive(root: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "src" / "realframe").mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "src/realframe/__init__.py"):
        shutil.copyfile(root / name, tree / name)
    assert _built_version(tree) == "0.0.0"  # an archive without git
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        _git(tree, *command)
    assert _built_version(tree).startswith("0.0.1.dev1+g")
    _git(tree, "tag", "v1.2.0")
    assert _built_version(tree) == "1.2.0"
    subprocess.run([find_uv(), "build", "--quiet", "--sdist", "--out-dir", str(tmp_path / "sdist"), str(tree)], check=True)
    (archive,) = (tmp_path / "sdist").glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    assert _built_version(tmp_path / "unpacked" / "realframe-1.2.0") == "1.2.0"


def _git(folder: Path, *command: str) -> None:
    identity = ("-c", "user.name=Tom", "-c", "user.email=tom@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *command], check=True)


def _built_version(tree: Path) -> str:
    target = tree.parent / "wheels"
    subprocess.run([find_uv(), "build", "--quiet", "--wheel", "--out-dir", str(target), str(tree)], check=True)
    (wheel,) = target.glob("*.whl")
    wheel.unlink()
    return wheel.name.split("-")[1]
