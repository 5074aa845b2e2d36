"""Import new files and make the next dataset version."""

from typing import Any

from airflow.sdk import AssetOrTimeSchedule, Param, dag
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import DATASET, RETRAINING
from dags.dag_defaults import DAG_DEFAULTS, make_schedule
from dags.task_errors import task
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
DAILY_OR_RETRAINING = AssetOrTimeSchedule(timetable=make_schedule("0 0 * * *"), assets=[RETRAINING])


@task
def open_run(**context: Any) -> None:
    """Import the inbox and open the run's worktree. A scheduled run is skipped if there are no media, or no new ones."""
    from realframe.runs import run_lifecycle

    form, settings, is_scheduled = context["params"], get_settings(), context["dag_run"].run_type == "scheduled"
    if is_scheduled and not run_lifecycle.has_media(settings):
        raise AirflowSkipException("there are no media yet: ingest some, or put them into the inbox")
    run = run_lifecycle.open_run("prepare_data", settings, name=context["run_id"], recipe=form["recipe"], overrides=form["overrides"])
    if is_scheduled and not run_lifecycle.has_new_media(run, settings):
        run_lifecycle.close_run(run, settings)
        raise AirflowSkipException("the newest dataset version was made of the same media")


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
    if version is None and not (context["params"]["retrain"] or context["triggering_asset_events"].get(RETRAINING)):
        raise AirflowSkipException("the dataset is the same as the newest version")
    version = version or str(find_newest_dataset_tag(settings.root))
    context["outlet_events"][DATASET].extra = {"version": version}
    return version


@dag(schedule=DAILY_OR_RETRAINING, doc_md=__doc__, params=FORM, **DAG_DEFAULTS)
def prepare_data() -> None:
    """Declare the task graph."""
    add_stage_tasks("prepare_data", open_run(), commit_run())


prepare_data()
