"""Takes in what has arrived and makes the next dataset version of it."""

from datetime import datetime
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import DATASET, DRIFT
from dags.drawing import draw, run_id
from realframe.config import names
from realframe.settings import get_settings

RECIPES = [None, *names(get_settings().root / "recipes")]
FORM = {
    "recipe": Param(
        None, type=["null", "string"], enum=RECIPES, description="whose sampling and cleaning to use; empty: as in params.yaml"
    ),
    "overrides": Param({}, type="object", description='dotted keys of params.yaml, such as {"extract.sampling": {"every": 3}}'),
    "retrain": Param(False, type="boolean", description="train anew also where the dataset is not new, as after a drift"),
}
DAILY_OR_DRIFT = AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 0 * * *", timezone="UTC"), assets=[DRIFT])


@task
def open_run(**context: Any) -> None:
    """Take in the inbox and open the run's worktree."""
    from realframe.runs.run_lifecycle import open_run as open_one

    form = context["params"]
    open_one("prepare_data", get_settings(), name=context["run_id"], recipe=form["recipe"], overrides=form["overrides"])


@task(outlets=[DATASET])
def commit_run(**context: Any) -> str:
    """Commit, tag and push the dataset version; skipped where it is not new, so that nothing is trained again, but after a drift."""
    from realframe.runs.pipeline_run import PipelineRun
    from realframe.runs.run_lifecycle import commit_run as commit_one
    from realframe.runs.run_versions import newest_dataset
    from realframe.runs.worktree import close_worktree

    settings = get_settings()
    run = PipelineRun.load(run_id(), settings)
    version = commit_one(run, settings)
    close_worktree(run, settings)
    if version is None and not (context["params"]["retrain"] or context["triggering_asset_events"].get(DRIFT)):
        raise AirflowSkipException("the dataset is the same as the newest version")
    version = version or str(newest_dataset(settings.root))
    context["outlet_events"][DATASET].extra = {"version": version}
    return version


@dag(
    schedule=DAILY_OR_DRIFT,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=2,
    tags=["realframe"],
    doc_md=__doc__,
    params=FORM,
)
def prepare_data() -> None:
    """Draw the graph."""
    draw("prepare_data", open_run(), commit_run())


prepare_data()
