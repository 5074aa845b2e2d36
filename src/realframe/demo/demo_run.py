"""The demo: the whole job on a rendered set, in a sandbox: prepare, train, review, then detect clips that the run never saw."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from realframe.config import resolve
from realframe.data.ingest_batch import Batch
from realframe.demo.render import CAVEAT, Rendered, discard, is_outdated, render
from realframe.errors import RunError, WeightsError
from realframe.models import backbones, weights
from realframe.runs.output_filter import run_filtered
from realframe.runs.worktree import open_sandbox, without_servers
from realframe.services.airflow_home import environment
from realframe.settings import Settings

console = Console()
_WHY = "a demo on rendered media: its detector is for looking at, not for use"


def run(settings: Settings) -> None:
    """Run the demo in ``STATE/demo`` of the checkout. Raises RunError."""
    began = time.monotonic()
    sandbox = open_sandbox("demo", settings)
    with _step("rendering a labelled set"):
        made = render_set(sandbox)
    recipe = choose_recipe(sandbox)
    env = without_servers(environment(sandbox)) | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    _call([sys.executable, "-m", "realframe", "ingest", str(made.folder)], env, sandbox)
    headless = [sys.executable, "-m", "realframe.services.headless_dags", "prepare_data", "train_model", "review_model"]
    with _step("DAGs prepare_data, train_model, review_model (approved as reviewer demo)"):
        approval = ["--approve-as", "demo", "--override", _WHY]
        _call([*headless, "--conf", json.dumps({"recipe": recipe}), *approval], env, sandbox, sieved=True)
    with _step("detecting clips that the run never saw"):
        _call([sys.executable, "-m", "realframe", "detect", str(made.unseen)], env, sandbox)
    _call([sys.executable, "-m", "realframe", "registry", "list"], env, sandbox)
    _next(sandbox, time.monotonic() - began)


def render_set(sandbox: Settings, *, clips: int = 120, images: int = 80, unseen: int = 6) -> Rendered:
    """Render the demo's set into the sandbox, and in place of a set that another version rendered, what was taken in of it included."""
    folder = sandbox.state / "demo-data"
    if is_outdated(folder):
        console.print("[dim]the set that is here was rendered by another version of realframe: it is rendered anew")
        shutil.rmtree(Batch(sandbox.raw_dir, folder).path, ignore_errors=True)
        discard(folder)
    return render(folder, clips=clips, images=images, unseen=unseen)


def choose_recipe(sandbox: Settings) -> str:
    """Return the default recipe where its ImageNet weights can be had, else one that learns from scratch, and say so."""
    params = resolve(sandbox.root / "params.yaml", sandbox.root / "recipes").params
    try:
        weights.find(params.train.weights, backbones.get(params.train.backbone), sandbox)
    except WeightsError as error:
        console.print(f"[yellow]{error}[/]\nThe demo goes on with the recipe [bold]scratch[/], which learns from scratch.")
        return "scratch"
    return params.recipe


@contextmanager
def _step(title: str) -> Iterator[None]:
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    yield
    console.print(f"[dim]{title}: {time.monotonic() - began:.0f} s")


def _call(command: list[str], env: dict[str, str], sandbox: Settings, *, sieved: bool = False) -> None:
    call = run_filtered if sieved else _run
    if status := call(command, sandbox.root, env):
        raise RunError(" ".join(command[1:4]), f"ended with status {status}", "Its own message is above.")


def _run(command: list[str], folder: Path, env: Mapping[str, str]) -> int:
    return subprocess.run(command, cwd=folder, env=env, check=False).returncode  # noqa: S603


def _next(sandbox: Settings, seconds: float) -> None:
    reports = sorted((sandbox.state / "reports").glob("v*/report.html"), key=lambda path: path.stat().st_mtime)
    home = os.path.relpath(sandbox.root)
    table = Table("what to open next", "", title=f"the demo took {seconds:.0f} s", show_header=False)
    table.add_row("the report", os.path.relpath(reports[-1]) if reports else "none")
    table.add_row("Airflow and MLflow on these runs", f"cd {home} && ../../.venv/bin/realframe up")
    table.add_row("which clips the champion saw", f"cd {home} && ../../.venv/bin/realframe lineage champion")
    table.add_row("your own files", "realframe ingest PATH && realframe run")
    console.print(table)
    console.print(f"[yellow]{CAVEAT}")
