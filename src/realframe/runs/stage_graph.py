"""Read the stages and edges of dvc.yaml, and run one stage in a run's worktree.

The file is read as plain YAML, because Airflow parses DAG files often and importing DVC takes too long.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any

from realframe.child_processes import run_supervised
from realframe.config import read_yaml
from realframe.errors import ERROR_FILE_VARIABLE, ParamsError, RunError
from realframe.runs.git_dvc import checkout_environment
from realframe.runs.pipeline_run import PipelineRun, hold_run
from realframe.settings import Settings

_DVC_STAGE = Path(__file__).with_name("dvc_stage.py")  # a process of its own: it imports DVC


@dataclass(frozen=True)
class Stage:
    """One stage: its name, its description, its DAG, and the stages whose outputs it reads."""

    name: str
    desc: str
    dag: str
    upstream: tuple[str, ...]


def read_stages(dvc_yaml: Path) -> list[Stage]:
    """Return the stages of ``dvc_yaml`` in an order in which they can run. Raises ParamsError."""
    definitions: dict[str, Any] = read_yaml(dvc_yaml).get("stages") or {}
    if not isinstance(definitions, dict) or not all(isinstance(stage, dict) for stage in definitions.values()) or not definitions:
        raise ParamsError(dvc_yaml, "has no mapping of stages under `stages`", f"Restore the file: `git checkout -- {dvc_yaml}`.")
    producers = {path: name for name, stage in definitions.items() for path in _paths(stage, "outs", "metrics", "plots")}
    upstream = {
        name: sorted({producer for path in _inputs(stage) if (producer := _producer_of(path, producers))})
        for name, stage in definitions.items()
    }
    return [
        Stage(name, definitions[name].get("desc", name), definitions[name].get("meta", {}).get("dag", ""), tuple(upstream[name]))
        for name in TopologicalSorter(upstream).static_order()
    ]


def stages_for_dag(dvc_yaml: Path, dag: str) -> list[Stage]:
    """Return the stages of ``dag`` and all stages that they depend on, in order."""
    all_stages = read_stages(dvc_yaml)
    needed = {stage.name for stage in all_stages if stage.dag == dag}
    for stage in reversed(all_stages):
        if stage.name in needed:
            needed.update(stage.upstream)
    return [stage for stage in all_stages if stage.name in needed]


def _inputs(stage: Mapping[str, Any]) -> list[str]:
    files = [path for entry in stage.get("params", ()) if isinstance(entry, Mapping) for path in entry]
    return [*_paths(stage, "deps"), *files]


def _paths(stage: Mapping[str, Any], *sections: str) -> list[str]:
    entries: Iterable[Any] = (entry for section in sections for entry in stage.get(section, ()))
    return [next(iter(entry)) if isinstance(entry, Mapping) else entry for entry in entries]


def _producer_of(path: str, producers: Mapping[str, str]) -> str | None:
    """The stage that writes ``path`` or a folder around it."""
    return next((producers[str(p)] for p in (PurePosixPath(path), *PurePosixPath(path).parents) if str(p) in producers), None)


def run_stage(run: PipelineRun, stage: str, settings: Settings) -> None:
    """Run ``stage`` if its inputs changed; otherwise take its outputs from the cache or the remote. Raises RunError.

    DVC checks the name of the stage. A retry of a finished stage costs nothing. The output of the stage goes to that of this process,
    except the sentence of an error that a user can act on, which the RunError repeats.
    """
    folder = run.folder(settings)
    with hold_run(run, settings) as lock, NamedTemporaryFile("r", prefix="realframe-error-") as error_file:
        command = [sys.executable, "-P", str(_DVC_STAGE), stage]
        own = {"REALFRAME_ROOT": str(settings.root), "REALFRAME_HOME": str(settings.state_dir), ERROR_FILE_VARIABLE: error_file.name}
        if status := run_supervised(command, folder, checkout_environment(folder) | own, held_files=[lock]).returncode:
            if sentence := error_file.read():
                raise RunError(f"stage {stage}", sentence)
            raise RunError(f"stage {stage}", f"failed with status {status}", f"See its message above. It ran in {folder}.")
