"""Score every file of a folder or a bucket prefix with one version of the detector, shard by shard, into one table of verdicts."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, TriggerRule, dag

from dags.dag_defaults import DAG_DEFAULTS
from dags.task_errors import task
from realframe.detection.crash_counter import MAX_ATTEMPTS
from realframe.settings import get_settings

FORM = {
    "source": Param("data/raw", type="string", minLength=1, description="a folder, relative to the checkout, or s3://bucket/prefix"),
    "model": Param("champion", type="string", minLength=1, description="number or alias of the detector's version"),
    "shard_size": Param(200, type="integer", minimum=1, maximum=10_000, description="files that one task scores"),
    "name": Param("", type="string", pattern="^([A-Za-z0-9_-][A-Za-z0-9_.-]{0,79})?$", description="of the job; empty: after its source"),
}


def get_source(form: dict[str, Any]) -> str:
    """Return the source of the form, absolute."""
    from realframe.scoring.file_source import resolve_source

    return resolve_source(form["source"], get_settings().root)


@task
def list_files(**context: Any) -> list[str]:
    """List the source and split the files without a verdict into shards; return the names of the shards."""
    from realframe.scoring.scoring_steps import plan_job

    form = context["params"]
    plan = plan_job(get_source(form), get_settings(), version=form["model"], shard_size=form["shard_size"], name=form["name"])
    return list(plan.shards)


# two at once: each has a detector in memory, and one decodes while the other computes.
# As many retries as attempts at a file: after the last one, a file that ends the process is given up.
@task(max_active_tis_per_dag=2, retries=MAX_ATTEMPTS, retry_delay=timedelta(seconds=10))
def score_shard(shard: str, **context: Any) -> None:
    """Score the files of one shard; a file that cannot be scored has a row with the reason."""
    from realframe.scoring.scoring_job import ScoringJob
    from realframe.scoring.scoring_steps import score_shards

    form, settings = context["params"], get_settings()
    score_shards(ScoringJob.open(get_source(form), form["name"], settings), [shard], settings)


@task(trigger_rule=TriggerRule.NONE_FAILED)  # also where no file was new
def gather_scores(**context: Any) -> dict[str, Any]:
    """Write the table of all verdicts; print and return the number of files with each verdict."""
    from realframe.scoring import scoring_steps
    from realframe.scoring.scoring_job import ScoringJob

    form = context["params"]
    summary = scoring_steps.gather_scores(ScoringJob.open(get_source(form), form["name"], get_settings()))
    print(summary)
    return summary.model_dump()


@dag(schedule=None, doc_md=__doc__, params=FORM, **DAG_DEFAULTS)
def score_media() -> None:
    """Declare the task graph."""
    score_shard.expand(shard=list_files()) >> gather_scores()


score_media()
