"""Import new files and make the next dataset version."""

from datetime import datetime
from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import DATASET, DRIFT
from dags.task_graph import add_stage_tasks, current_run_id
from realframe.config import list_recipes
from realframe.settings import get_settings

RECIPES = [None, *list_recipes(get_settings().root / "recipes")]
FORM = {
    "recipe": Param(
        None, type=["null", "string"], enum=RECIPES, description="recipe whose sampling and cleaning to use; empty: that of params.yaml"
    ),
    "overrides": Param({}, type="object", description='dotted keys of params.yaml, such as {"extract.sampling": {"every": 3}}'),
    "retrain": Param(False, type="boolean", description="train again even if the dataset is not new, for example after a drift"),
}
DAILY_OR_DRIFT = AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 0 * * *", timezone="UTC"), assets=[DRIFT])


@task
def open_run(**context: Any) -> None:
    """Import the inbox and open the run's worktree."""
    from realframe.runs import run_lifecycle

    form = context["params"]
    run_lifecycle.open_run("prepare_data", get_settings(), name=context["run_id"], recipe=form["recipe"], overrides=form["overrides"])


@task(outlets=[DATASET])
def commit_run(**context: Any) -> str:
    """Commit, tag and push the dataset version. Skipped if the dataset is not new, unless `retrain` is set or a drift started the run."""
    from realframe.runs import run_lifecycle
    from realframe.runs.pipeline_run import PipelineRun
    from realframe.runs.run_versions import find_newest_dataset_tag

    settings = get_settings()
    run = PipelineRun.load(current_run_id(), settings)
    version = run_lifecycle.commit_run(run, settings)
    run_lifecycle.close_run(run, settings)
    if version is None and not (context["params"]["retrain"] or context["triggering_asset_events"].get(DRIFT)):
        raise AirflowSkipException("the dataset is the same as the newest version")
    version = version or str(find_newest_dataset_tag(settings.root))
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
    """Declare the task graph."""
    add_stage_tasks("prepare_data", open_run(), commit_run())


prepare_data()
