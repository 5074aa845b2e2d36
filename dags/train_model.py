"""Train a recipe on the newest dataset version, evaluate it and register the model as the challenger."""

from typing import Any

from airflow.sdk import Param, dag
from airflow.sdk.exceptions import AirflowSkipException

from dags.assets import CANDIDATE, DATASET
from dags.dag_defaults import DAG_DEFAULTS
from dags.task_errors import task
from dags.task_graph import add_stage_tasks, current_run_id
from realframe.config import list_recipes
from realframe.settings import get_settings

RECIPES = [None, *list_recipes(get_settings().root / "recipes")]
EPOCHS = {"type": ["null", "integer"], "minimum": 1, "maximum": 1000, "description": "number of epochs; empty: that of the recipe"}
FORM = {
    "recipe": Param(
        None, type=["null", "string"], enum=RECIPES, description="name of a file in recipes/; empty: the recipe of the dataset version"
    ),
    "phase1_epochs": Param(None, **EPOCHS),
    "phase2_epochs": Param(None, **EPOCHS),
    "overrides": Param({}, type="object", description='dotted keys of params.yaml, such as {"train.batch_size": 16}'),
}


@task
def open_run(**context: Any) -> None:
    """Open the run's worktree on the newest dataset version."""
    from realframe.runs import run_lifecycle

    form = context["params"]
    epochs = {f"train.{phase}.epochs": form[f"{phase}_epochs"] for phase in ("phase1", "phase2") if form[f"{phase}_epochs"]}
    overrides = {**epochs, **form["overrides"]}
    user = context["dag_run"].triggering_user_name or "airflow"
    run_lifecycle.open_run(
        "train_model", get_settings(), name=context["run_id"], recipe=form["recipe"], overrides=overrides, started_by=user
    )


@task(outlets=[CANDIDATE])
def register_model(**context: Any) -> int:
    """Commit and push the run, and register its model as the challenger. Skipped if the same model was already decided on."""
    from realframe.runs.pipeline_run import PipelineRun
    from realframe.runs.run_lifecycle import close_run, commit_run, register_run

    settings = get_settings()
    run = PipelineRun.load(current_run_id(), settings)
    commit_run(run, settings)
    version = register_run(run, settings)
    close_run(run, settings)
    if "challenger" not in version.aliases:
        raise AirflowSkipException(f"the model is the same as version {version.version}, which was already decided on")
    context["outlet_events"][CANDIDATE].extra = {"version": version.version}
    return version.version


@dag(schedule=[DATASET], doc_md=__doc__, params=FORM, **DAG_DEFAULTS)
def train_model() -> None:
    """Declare the task graph."""
    add_stage_tasks("train_model", open_run(), register_model())


train_model()
