"""The notebooks run from top to bottom in a checkout, show plots, and contain neither outputs nor logic."""

import ast
import getpass
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings
from tests.trained_checkout import FAST_OVERRIDES, ROOT, TrainedCheckout

pytestmark = pytest.mark.timeout(900)
NOTEBOOKS = ["compare_recipes", "predict", "preprocess", "train"]
TINY = {
    **FAST_OVERRIDES,
    "train.backbone": "residual_cnn",
    "train.weights": "random",
    "train.phase1.epochs": 1,
    "split.min_per_class": 1,
}


@pytest.fixture(scope="module")
def trained(trained_checkout: TrainedCheckout, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedCheckout, NotebookNode]:
    """Run ``train.ipynb`` with another recipe in a copy of the checkout, so that the original registry is not changed."""
    copy = trained_checkout.copy(tmp_path_factory.mktemp("notebooks") / "checkout")
    return copy, _run(copy, "train", {"media": None, "recipe": "lstm", "overrides": TINY})


def _read(name: str) -> NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def _run(checkout: TrainedCheckout, name: str, parameters: Mapping[str, object]) -> NotebookNode:
    """Run a notebook of a checkout, with its parameters replaced; as in Jupyter, the working folder is ``notebooks``."""
    notebook = _read(name)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert set(parameters) <= {target.id for node in ast.parse(cell.source).body for target in node.targets}  # type: ignore[attr-defined]
    cell.source += "\n" + "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    folder = {"metadata": {"path": str(checkout.root / "notebooks")}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder).execute(env={**checkout.env, "MPLBACKEND": ""})
    return notebook


def _read_outputs(notebook: NotebookNode, kind: str) -> list[str]:
    """Return the cell outputs of one MIME type; ``text/plain`` includes printed text."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = [output.text for output in outputs if output.output_type == "stream" and kind == "text/plain"]
    return printed + [output.data[kind] for output in outputs if "data" in output and kind in output.data]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_contains_neither_outputs_nor_logic(name: str) -> None:
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


def test_train_produces_a_challenger_from_the_originals(trained: tuple[TrainedCheckout, NotebookNode]) -> None:
    run_checkout, notebook = trained
    printed = "\n".join(_read_outputs(notebook, "text/plain"))
    assert "prepare_data: dataset/v2" in printed
    assert "train_model: version 2 (challenger)" in printed
    assert "media.decoder-crash" in printed
    assert "recipe lstm" in printed
    assert len(_read_outputs(notebook, "image/png")) == 7  # clean frames of both classes, curves, three figures, explanations
    assert (run_checkout.root / ".realframe" / "reports" / "v2" / "report.html").exists()
    assert run_checkout.git("status", "--porcelain") == ""


def test_preprocess_shows_the_clean_frames_of_one_file(trained_checkout: TrainedCheckout) -> None:
    clip = sorted(trained_checkout.unseen.rglob("*.mp4"))[0]
    notebook = _run(trained_checkout, "preprocess", {"file": str(clip), "overrides": {"clean.size": 64, "extract.sampling": {"fps": 4}}})
    printed = "\n".join(_read_outputs(notebook, "text/plain"))
    assert "Signature(kind='video', container='mp4')" in printed
    assert "64, 64, 3) uint8" in printed
    assert len(_read_outputs(notebook, "image/png")) == 5


def test_predict_shows_the_champions_score_over_time(trained_checkout: TrainedCheckout) -> None:
    clip = sorted(trained_checkout.unseen.rglob("*.mp4"))[0]
    notebook = _run(trained_checkout, "predict", {"file": str(clip)})
    detection = json.loads(trained_checkout.run_module("realframe", "detect", "--json", str(clip)))[0]
    printed = "\n".join(_read_outputs(notebook, "text/plain"))
    assert detection["verdict"] in printed
    highest = max(detection["frames"], key=lambda frame: frame["score"])
    assert f"frame at {highest['time_s']:.2f} s: {highest['score']:.3f}" in printed
    assert len(_read_outputs(notebook, "image/png")) == 3


def test_predict_takes_a_detector_of_clips(trained: tuple[TrainedCheckout, NotebookNode]) -> None:
    run_checkout, _ = trained
    notebook = _run(run_checkout, "predict", {"model": "challenger", "file": str(sorted(run_checkout.unseen.rglob("*.mp4"))[0])})
    assert "feature maps of 2x2" in "\n".join(_read_outputs(notebook, "text/plain"))
    assert len(_read_outputs(notebook, "image/png")) == 3


def test_compare_recipes_shows_the_figures_of_each_recipe(trained: tuple[TrainedCheckout, NotebookNode]) -> None:
    notebook = _run(trained[0], "compare_recipes", {"recipes": ["scratch", "lstm", "inceptionv3-rnn"]})
    figures, differing = _read_outputs(notebook, "text/html")
    assert figures.index("<td>scratch</td>") < figures.index("<td>lstm</td>")
    assert "recipes without a model: inceptionv3-rnn" in "\n".join(_read_outputs(notebook, "text/plain"))
    assert "train.head.kind" in differing
    assert "evaluate.bootstrap" not in differing  # equal in both
    assert len(_read_outputs(notebook, "image/png")) == 1


def test_compare_recipes_works_without_a_model(checkout: Path, tmp_path: Path) -> None:
    env = airflow_environment(Settings(root=checkout, home=tmp_path / "state"))
    notebook = _run(TrainedCheckout(checkout, env, tmp_path, ""), "compare_recipes", {"recipes": ["lstm"]})
    assert "recipes without a model: lstm" in "\n".join(_read_outputs(notebook, "text/plain"))


def test_the_commands_at_the_end_of_train_need_no_account(trained: tuple[TrainedCheckout, NotebookNode]) -> None:
    run_checkout, notebook = trained
    commands = re.search(r"```sh\n(.*?)```", notebook.cells[-1].source, re.DOTALL)
    assert commands
    env = {name: value for name, value in run_checkout.env.items() if name not in ("REALFRAME_REVIEWER", "REALFRAME_PASSWORD")}
    for line in commands[1].splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == ".venv/bin/realframe"
        command = [sys.executable, "-m", "realframe", *arguments]
        done = subprocess.run(
            command, cwd=run_checkout.root, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert f"by {getpass.getuser()}" in done.stdout
