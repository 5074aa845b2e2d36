"""Build the task graph of a DAG from dvc.yaml: one task per stage, with the same names and edges."""

from datetime import timedelta
from typing import Any

from airflow.sdk import get_current_context

from dags.task_errors import task
from realframe.runs.stage_graph import stages_for_dag
from realframe.settings import get_settings


def current_run_id() -> str:
    """Return the id of the pipeline run that belongs to the current DAG run."""
    from realframe.runs.pipeline_run import make_run_id

    context = get_current_context()
    return make_run_id(context["dag"].dag_id, context["run_id"])


@task(retries=1, retry_delay=timedelta(seconds=10))
def run_stage(stage: str) -> None:
    """Run one stage in the run's worktree."""
    from realframe.runs import stage_graph
    from realframe.runs.pipeline_run import PipelineRun

    settings = get_settings()
    stage_graph.run_stage(PipelineRun.load(current_run_id(), settings), stage, settings)


def add_stage_tasks(dag: str, first: Any, last: Any) -> None:
    """Add a task for each stage of ``dag`` between the task that opens the run and the task that commits it."""
    stages = stages_for_dag(get_settings().root / "dvc.yaml", dag)
    tasks = {stage.name: run_stage.override(task_id=stage.name, doc_md=stage.desc)(stage.name) for stage in stages}
    upstream_names = {name for stage in stages for name in stage.upstream}
    for stage in stages:
        for upstream in [tasks[name] for name in stage.upstream] or [first]:
            upstream >> tasks[stage.name]
        if stage.name not in upstream_names:
            tasks[stage.name] >> last
