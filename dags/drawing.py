"""Draws the tasks of a DAG from dvc.yaml: one per stage, same names, same edges."""

from datetime import timedelta
from typing import Any

from airflow.sdk import get_current_context, task

from realframe.runs.stage_graph import stages_of
from realframe.settings import get_settings


def run_id() -> str:
    """Return the id of the run that belongs to the DAG run of the current task."""
    from realframe.runs.pipeline_run import run_name

    context = get_current_context()
    return run_name(context["dag"].dag_id, context["run_id"])


@task(retries=1, retry_delay=timedelta(seconds=10))
def run_stage(stage: str) -> None:
    """Run one stage in the run's worktree."""
    from realframe.runs.pipeline_run import PipelineRun
    from realframe.runs.stage_graph import run_stage as run_one

    settings = get_settings()
    run_one(PipelineRun.load(run_id(), settings), stage, settings)


def draw(dag: str, first: Any, last: Any) -> None:
    """Draw the stages of ``dag`` between the task that opens the run and the one that commits it."""
    stages = stages_of(get_settings().root / "dvc.yaml", dag)
    tasks = {stage.name: run_stage.override(task_id=stage.name, doc_md=stage.desc)(stage.name) for stage in stages}
    read = {before for stage in stages for before in stage.after}
    for stage in stages:
        for before in [tasks[name] for name in stage.after] or [first]:
            before >> tasks[stage.name]
        if stage.name not in read:
            tasks[stage.name] >> last
