"""A detector in an exported folder: it answers as the original, refuses changes, and needs neither MLflow nor DVC, Airflow or MongoDB."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.licences import reach_packages
from realframe.detection.detector import Detector
from realframe.errors import RegistryError
from realframe.registry import detector_folder
from tests import run_folder

IN_AN_ENVIRONMENT_WITHOUT_THEM = """
import importlib.abc, json, sys

ALLOWED, FOLDER, PHOTO = set(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]

class OtherPackages(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OtherPackages())
import realframe
assert "tensorflow" not in sys.modules
detection = realframe.Detector.load(FOLDER).detect(PHOTO).detection
try:
    realframe.Detector.load("champion")
except realframe.RealframeError as error:
    refusal = str(error)
sys.argv = ["realframe-detect", "--model", FOLDER, "--json", "--html", FOLDER + "/report.html", PHOTO]
from realframe.cli import folder_detect
try:
    folder_detect.main()
except SystemExit as exit:
    status = exit.code
print(json.dumps({"verdict": detection.verdict, "probability": detection.probability, "refusal": refusal, "status": status,
                  "modules": sorted(name for name in sys.modules if name.startswith("realframe."))}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with an evaluated model."""
    folder = tmp_path_factory.mktemp("run")
    run_folder.write_training(folder, run_folder.write_dataset(folder, 40))
    run_folder.write_model(folder, bias=1.5)
    return folder


@pytest.fixture
def exported(run: Path, tmp_path: Path) -> Path:
    detector_folder.write_folder(detector_folder.read_run_folder(run), tmp_path / "detector")
    return tmp_path / "detector"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(file)
    return file


def test_an_exported_detector_answers_as_the_original(run: Path, exported: Path, photo: Path) -> None:
    original, copy = Detector.load(run), Detector.load(str(exported))
    assert copy.loaded.answer_key == original.loaded.answer_key
    answers = [detector.detect(photo).detection.model_dump(exclude={"seconds", "model"}) for detector in (original, copy)]
    assert answers[0] == answers[1] and answers[0]["verdict"] != "not scored"
    assert {file.name for file in exported.iterdir()} == {"detector.json", "model.keras"}


def test_a_changed_or_missing_file_of_an_exported_folder_is_refused(exported: Path) -> None:
    name = "model.keras"
    content = (exported / name).read_bytes()
    (exported / name).write_bytes(content[:-1] + b"x")
    with pytest.raises(RegistryError, match=rf"{name}: was changed after it was exported"):
        Detector.load(exported)
    (exported / name).unlink()
    with pytest.raises(RegistryError, match=rf"{name}: is missing, so the exported detector is not complete"):
        Detector.load(exported)


def test_a_changed_threshold_of_an_exported_folder_is_refused(exported: Path) -> None:
    description = exported / detector_folder.DESCRIPTION
    content = json.loads(description.read_text())
    content["facts"]["verdict"]["image"]["slope"] *= 2
    description.write_text(json.dumps(content))
    with pytest.raises(RegistryError, match=r"detector\.json: was changed after it was exported: parameters, decision rule or calibration"):
        Detector.load(exported)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "1", "answer_digest": "", "facts": {}, "files": {}}'])
def test_a_description_that_cannot_be_read_is_refused(text: str, exported: Path) -> None:
    (exported / detector_folder.DESCRIPTION).write_text(text)
    with pytest.raises(RegistryError, match=r"detector\.json: "):
        Detector.load(exported)


def test_a_folder_without_a_detector_names_both_kinds(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="holds neither an evaluated model nor an exported detector"):
        Detector.load(tmp_path)


@pytest.mark.slow
def test_the_detect_distribution_declares_what_it_needs(exported: Path, photo: Path, root: Path) -> None:
    """Runs the command and the Python API with nothing to import but what realframe-detect declares, and what that depends on."""
    project = tomllib.loads((root / "packaging" / "detect" / "pyproject.toml").read_text())["project"]
    declared = {_name(requirement) for requirement in project["dependencies"]}
    lock = {package["name"]: package for package in tomllib.loads((root / "uv.lock").read_text())["package"]}
    needed = reach_packages(lock, [{"name": name} for name in declared])
    assert not needed & {"apache-airflow", "mlflow", "dvc", "pymongo", "fastapi", "dagshub"}
    providers = {module: {_name(name) for name in names} for module, names in packages_distributions().items()}
    allowed = {"realframe", *sys.stdlib_module_names, *(module for module, names in providers.items() if names & needed)}
    command = [sys.executable, "-c", IN_AN_ENVIRONMENT_WITHOUT_THEM, json.dumps(sorted(allowed)), str(exported), str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=exported, check=False)
    assert done.returncode == 0, done.stderr
    *_, last = done.stdout.splitlines()
    result = json.loads(last)
    by_command = json.loads(done.stdout.removesuffix(last + "\n"))
    assert result["status"] == 0 and by_command[0]["verdict"] == result["verdict"] != "not scored"
    assert result["refusal"].startswith("champion: ") and "install realframe itself" in result["refusal"]
    assert (exported / "report.html").exists() and not (exported / ".realframe").exists()
    undeclared = {
        (module, name)
        for module in result["modules"]
        for name in _top_imports(root, module)
        if name not in sys.stdlib_module_names and name != "realframe" and not providers[name] & (declared | {"tensorflow"})
    }
    assert not undeclared


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!; ]", requirement)[0]).lower()


def _top_imports(root: Path, module: str) -> set[str]:
    path = root / "src" / Path(*module.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    nodes = ast.parse(file.read_text()).body
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in names}
