"""Run the demo: the whole pipeline on rendered media in a sandbox, then detection on clips that the run did not see."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from realframe.child_processes import run_supervised
from realframe.config import resolve_params
from realframe.data.ingest_batch import IngestBatch
from realframe.demo.render import CAVEAT, RenderedSet, delete_set, is_outdated, render_demo_data
from realframe.errors import RunError, WeightsError
from realframe.models import backbones, weights
from realframe.presentation.terminal_table import make_table
from realframe.runs.git_dvc import open_sandbox, without_server_variables
from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings

console = Console()
_OVERRIDE_REASON = "a demo on rendered media: its detector is not for real use"


def run_demo(settings: Settings) -> None:
    """Run the demo in ``STATE/demo`` of the checkout. Raises RunError."""
    start = time.monotonic()
    sandbox = open_sandbox("demo", settings)
    with _step("render labeled media"):
        rendered = prepare_demo_set(sandbox)
    recipe = choose_recipe(sandbox)
    env = without_server_variables(airflow_environment(sandbox)) | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    _run_command([sys.executable, "-m", "realframe", "ingest", str(rendered.folder)], env, sandbox)
    headless = [sys.executable, "-m", "realframe.services.headless_dags", "prepare_data", "train_model", "review_model"]
    with _step("run prepare_data, train_model and review_model (approved by the reviewer demo)"):
        approval = ["--approve-as", "demo", "--override", _OVERRIDE_REASON]
        _run_command([*headless, "--conf", json.dumps({"recipe": recipe}), *approval], env, sandbox)
    with _step("detect clips that the run did not see"):
        _run_command([sys.executable, "-m", "realframe", "detect", str(rendered.unseen_dir)], env, sandbox)
    _run_command([sys.executable, "-m", "realframe", "registry", "list"], env, sandbox)
    _print_next_steps(sandbox, time.monotonic() - start)


def prepare_demo_set(sandbox: Settings, *, clips: int = 120, images: int = 80, unseen: int = 6) -> RenderedSet:
    """Render the demo set into the sandbox; delete a set of another version of this program first, and its files in ``data/raw``."""
    folder = sandbox.state_dir / "demo-data"
    if is_outdated(folder):
        console.print("[dim]The existing set was rendered by another version of realframe: it is rendered again.")
        shutil.rmtree(IngestBatch(sandbox.raw_dir, folder).path, ignore_errors=True)
        delete_set(folder)
    return render_demo_data(folder, clips=clips, images=images, unseen=unseen)


def choose_recipe(sandbox: Settings) -> str:
    """Return the default recipe if its ImageNet weights are available; otherwise print a note and return ``scratch``."""
    params = resolve_params(sandbox.root / "params.yaml", sandbox.root / "recipes").params
    try:
        weights.find_weights(params.train.weights, backbones.get_backbone(params.train.backbone), sandbox)
    except WeightsError as error:
        console.print(f"[yellow]{error}[/]\nThe demo continues with the recipe [bold]scratch[/], which needs no weights.")
        return "scratch"
    return params.recipe


@contextmanager
def _step(title: str) -> Iterator[None]:
    console.rule(f"[bold]{title}", align="left")
    start = time.monotonic()
    yield
    console.print(f"[dim]{title}: {time.monotonic() - start:.0f} s")


def _run_command(command: list[str], env: dict[str, str], sandbox: Settings) -> None:
    if status := run_supervised(command, sandbox.root, env).returncode:
        raise RunError(" ".join(command[1:4]), f"ended with status {status}", "See its message above.")


def _print_next_steps(sandbox: Settings, seconds: float) -> None:
    reports = sorted((sandbox.state_dir / "reports").glob("v*/report.html"), key=lambda path: path.stat().st_mtime)
    home = os.path.relpath(sandbox.root)
    rows = [
        ("the report", os.path.relpath(reports[-1]) if reports else "none"),
        ("Airflow and MLflow with these runs", f"cd {home} && ../../.venv/bin/realframe up"),
        ("the clips that the champion was trained on", f"cd {home} && ../../.venv/bin/realframe lineage champion"),
        ("train on your own files", ".venv/bin/realframe ingest PATH && .venv/bin/realframe run"),
    ]
    console.print(make_table(("", ""), rows, title=f"the demo took {seconds:.0f} s"))
    console.print(f"[yellow]{CAVEAT}")
