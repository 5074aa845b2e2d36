"""The stages and edges of dvc.yaml, read as plain YAML so that a DAG file can draw them in milliseconds.

Running one stage of dvc.yaml in a run's worktree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

from realframe.config import read_yaml
from realframe.runs.git_dvc import dvc_live
from realframe.runs.pipeline_run import PipelineRun
from realframe.settings import Settings


@dataclass(frozen=True)
class Stage:
    """One stage: its name, what it does, the DAG it belongs to, and the stages whose outputs it reads."""

    name: str
    desc: str
    dag: str
    after: tuple[str, ...]


def stages(dvc_yaml: Path) -> list[Stage]:
    """Return the stages of ``dvc_yaml`` in an order in which they can run."""
    written: dict[str, Any] = read_yaml(dvc_yaml)["stages"]
    makers = {path: name for name, stage in written.items() for path in _paths(stage, "outs", "metrics", "plots")}
    after = {name: sorted({maker for path in _inputs(stage) if (maker := _maker(path, makers))}) for name, stage in written.items()}
    return [
        Stage(name, written[name].get("desc", name), written[name].get("meta", {}).get("dag", ""), tuple(after[name]))
        for name in TopologicalSorter(after).static_order()
    ]


def stages_of(dvc_yaml: Path, dag: str) -> list[Stage]:
    """Return what ``dag`` runs: its own stages and all that they stand on, in order."""
    every = stages(dvc_yaml)
    needed = {stage.name for stage in every if stage.dag == dag}
    for stage in reversed(every):
        if stage.name in needed:
            needed.update(stage.after)
    return [stage for stage in every if stage.name in needed]


def _inputs(stage: Mapping[str, Any]) -> list[str]:
    files = [path for entry in stage.get("params", ()) if isinstance(entry, Mapping) for path in entry]
    return [*_paths(stage, "deps"), *files]


def _paths(stage: Mapping[str, Any], *sections: str) -> list[str]:
    entries: Iterable[Any] = (entry for section in sections for entry in stage.get(section, ()))
    return [next(iter(entry)) if isinstance(entry, Mapping) else entry for entry in entries]


def _maker(path: str, makers: Mapping[str, str]) -> str | None:
    """The stage that writes ``path`` or a folder around it."""
    return next((makers[str(p)] for p in (PurePosixPath(path), *PurePosixPath(path).parents) if str(p) in makers), None)


def run_stage(run: PipelineRun, stage: str, settings: Settings) -> None:
    """Run ``stage`` where its inputs changed; else take its outputs from the cache or the remote. Raises RunError.

    The name of the stage is not checked here: DVC knows them. A retry is free, an unchanged stage is skipped.
    """
    dvc_live(run.folder(settings), "repro", "--single-item", "--pull", "--allow-missing", stage)
