"""The demo: the whole job on a rendered set, in a sandbox: prepare, train, review, then detect clips that the run never saw."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from bonafide.demo.render import CAVEAT, render
from bonafide.errors import RunError, WeightsError
from bonafide.models import backbones, weights
from bonafide.params import resolve
from bonafide.runs.sandbox import open_sandbox, without_servers
from bonafide.services.airflow import environment
from bonafide.settings import Settings

console = Console()


def run(settings: Settings) -> None:
    """Run the demo in ``STATE/demo`` of the checkout. Raises RunError."""
    began = time.monotonic()
    sandbox = open_sandbox("demo", settings)
    clips, unseen = sandbox.state / "demo-data", sandbox.state / "demo-data-unseen"
    with _step("rendering a labelled set"):
        render(clips)
    recipe = choose_recipe(sandbox)
    env = without_servers(environment(sandbox)) | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    _call([sys.executable, "-m", "bonafide", "ingest", str(clips)], env, sandbox)
    headless = [sys.executable, "-m", "bonafide.services.headless", "prepare_data", "train_model", "review_model"]
    with _step("DAGs prepare_data, train_model, review_model (approved as reviewer demo)"):
        _call([*headless, "--conf", json.dumps({"recipe": recipe}), "--approve-as", "demo"], env, sandbox)
    with _step("detecting clips that the run never saw"):
        _call([sys.executable, "-m", "bonafide", "detect", str(unseen)], env, sandbox)
    _call([sys.executable, "-m", "bonafide", "registry", "list"], env, sandbox)
    _next(sandbox, time.monotonic() - began)


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


def _call(command: list[str], env: dict[str, str], sandbox: Settings) -> None:
    if status := subprocess.run(command, cwd=sandbox.root, env=env, check=False).returncode:  # noqa: S603
        raise RunError(" ".join(command[1:4]), f"ended with status {status}", "Its own message is above.")


def _next(sandbox: Settings, seconds: float) -> None:
    reports = sorted((sandbox.state / "reports").glob("v*.html"), key=lambda path: path.stat().st_mtime)
    home = os.path.relpath(sandbox.root)
    table = Table("what to open next", "", title=f"the demo took {seconds:.0f} s", show_header=False)
    table.add_row("the report", os.path.relpath(reports[-1]) if reports else "none")
    table.add_row("Airflow and MLflow on these runs", f"cd {home} && ../../.venv/bin/bonafide up")
    table.add_row("which clips the champion saw", f"cd {home} && ../../.venv/bin/bonafide lineage --model champion")
    table.add_row("your own files", "bonafide ingest PATH && bonafide run")
    console.print(table)
    console.print(f"[yellow]{CAVEAT}")
