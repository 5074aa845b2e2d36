"""Running one stage of dvc.yaml in a run's worktree."""

from bonafide.runs.process import dvc_live
from bonafide.runs.run import Run
from bonafide.settings import Settings


def run_stage(run: Run, stage: str, settings: Settings) -> None:
    """Run ``stage`` where its inputs changed; else take its outputs from the cache or the remote. Raises RunError.

    The name of the stage is not checked here: DVC knows them. A retry is free, an unchanged stage is skipped.
    """
    dvc_live(run.folder(settings), "repro", "--single-item", "--pull", "--allow-missing", stage)
