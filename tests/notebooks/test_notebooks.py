"""The notebooks run from top to bottom in a checkout, show something to look at, and hold neither outputs nor logic."""

import ast
import json
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from realframe.services.airflow_home import environment
from realframe.settings import Settings
from tests.pilot import BARE, ROOT, Pilot

pytestmark = pytest.mark.timeout(900)
NOTEBOOKS = ["compare_recipes", "predict", "preprocess", "train"]
TINY = {**BARE, "train.phase1.epochs": 1, "train.weights": "random", "split.min_per_class": 1}


@pytest.fixture(scope="module")
def trained(pilot: Pilot, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pilot, NotebookNode]:
    """A copy of the pilot in which ``train.ipynb`` has run by another recipe, and the notebook: the pilot's own registry stays as it is."""
    copy = pilot.copy(tmp_path_factory.mktemp("notebooks") / "checkout")
    return copy, _run(copy, "train", {"media": None, "recipe": "lstm", "overrides": TINY})


def _read(name: str) -> NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def _run(where: Pilot, name: str, parameters: Mapping[str, object]) -> NotebookNode:
    """Run a notebook of a checkout, its parameters cell replaced, as Jupyter does: the working folder is ``notebooks``."""
    notebook = _read(name)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert set(parameters) <= {target.id for node in ast.parse(cell.source).body for target in node.targets}  # type: ignore[attr-defined]
    cell.source += "\n" + "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    folder = {"metadata": {"path": str(where.root / "notebooks")}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute(env={**where.env, "MPLBACKEND": ""})
    return notebook


def _shown(notebook: NotebookNode, kind: str) -> list[str]:
    """What cells showed of one MIME type, and what they printed under ``text/plain``."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = [output.text for output in outputs if output.output_type == "stream" and kind == "text/plain"]
    return printed + [output.data[kind] for output in outputs if "data" in output and kind in output.data]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_holds_neither_outputs_nor_logic(name: str) -> None:
    notebook = _read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell.id for cell in code if cell.outputs or cell.execution_count]
    nodes = [node for cell in code for node in ast.walk(ast.parse(cell.source))]
    assert not [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)]
    assert [cell.metadata.get("tags") for cell in code].index(["parameters"]) == 0


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == NOTEBOOKS


def test_train_goes_from_the_originals_to_a_challenger(trained: tuple[Pilot, NotebookNode]) -> None:
    place, notebook = trained
    said = "\n".join(_shown(notebook, "text/plain"))
    assert "prepare_data: dataset/v2" in said
    assert "train_model: version 2 (challenger)" in said
    assert "media.not-media" in said
    assert "recipe lstm" in said
    assert len(_shown(notebook, "image/png")) == 7  # clean frames of both classes, curves, three figures, explanations
    assert (place.root / ".realframe" / "reports" / "v2" / "report.html").exists()
    assert place.git("status", "--porcelain") == ""


def test_preprocess_follows_one_file_to_its_clean_frames(pilot: Pilot) -> None:
    clip = sorted(pilot.unseen.rglob("*.mp4"))[0]
    notebook = _run(pilot, "preprocess", {"file": str(clip), "overrides": {"clean.size": 64, "extract.sampling": {"fps": 4}}})
    said = "\n".join(_shown(notebook, "text/plain"))
    assert "Signature(kind='video', container='mp4')" in said
    assert "64, 64, 3) uint8" in said
    assert len(_shown(notebook, "image/png")) == 5


def test_predict_shows_the_champions_score_over_time(pilot: Pilot) -> None:
    clip = sorted(pilot.unseen.rglob("*.mp4"))[0]
    notebook = _run(pilot, "predict", {"file": str(clip)})
    answer = json.loads(pilot.call("realframe", "detect", "--json", str(clip)))[0]
    said = "\n".join(_shown(notebook, "text/plain"))
    assert answer["verdict"] in said
    highest = max(answer["frames"], key=lambda frame: frame["score"])
    assert f"frame at {highest['time_s']:.2f} s: {highest['score']:.3f}" in said
    assert len(_shown(notebook, "image/png")) == 3


def test_predict_takes_a_detector_of_clips(trained: tuple[Pilot, NotebookNode]) -> None:
    place, _ = trained
    notebook = _run(place, "predict", {"model": "challenger", "file": str(sorted(place.unseen.rglob("*.mp4"))[0])})
    assert "feature maps of 2x2" in "\n".join(_shown(notebook, "text/plain"))
    assert len(_shown(notebook, "image/png")) == 3


def test_recipes_stand_side_by_side(trained: tuple[Pilot, NotebookNode]) -> None:
    notebook = _run(trained[0], "compare_recipes", {"recipes": ["scratch", "lstm", "inceptionv3-rnn"]})
    figures, differing = _shown(notebook, "text/html")
    assert figures.index("<td>scratch</td>") < figures.index("<td>lstm</td>")
    assert "recipes without a model: inceptionv3-rnn" in "\n".join(_shown(notebook, "text/plain"))
    assert "train.head.kind" in differing
    assert "evaluate.bootstrap" not in differing  # both have the same
    assert len(_shown(notebook, "image/png")) == 1


def test_before_the_first_model_the_comparison_says_so(checkout: Path, tmp_path: Path) -> None:
    env = environment(Settings(root=checkout, home=tmp_path / "state"))
    notebook = _run(Pilot(checkout, env, tmp_path, ""), "compare_recipes", {"recipes": ["lstm"]})
    assert "recipes without a model: lstm" in "\n".join(_shown(notebook, "text/plain"))
