"""Scores every file of a folder or a bucket prefix by one version of the detector, shard by shard, into one table of verdicts."""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Param, TriggerRule, dag, task

from realframe.settings import get_settings

FORM = {
    "source": Param("data/raw", type="string", minLength=1, description="a folder, seen from the checkout, or s3://bucket/prefix"),
    "model": Param("champion", type="string", minLength=1, description="number or alias of the detector's version"),
    "shard": Param(200, type="integer", minimum=1, maximum=10_000, description="files that are scored in one go"),
    "name": Param("", type="string", pattern="^([A-Za-z0-9_-][A-Za-z0-9_.-]{0,79})?$", description="of the job; empty: after its source"),
}


def place(form: dict[str, Any]) -> str:
    """Return the source as it is meant from anywhere."""
    from realframe.scoring.file_source import located

    return located(form["source"], get_settings().root)


@task
def list_files(**context: Any) -> list[str]:
    """List the source, and deal the files that have no verdict yet; return the names of the shards."""
    from realframe.scoring.scoring_plan import plan

    form = context["params"]
    made = plan(place(form), get_settings(), version=form["model"], shard=form["shard"], name=form["name"])
    return list(made.parts)


# two at once: each has a detector in memory, and one decodes while the other computes
@task(max_active_tis_per_dag=2, retries=2, retry_delay=timedelta(seconds=10))
def score_shard(part: str, **context: Any) -> None:
    """Score the files of one shard; one that can't be scored is a row that says why."""
    from realframe.scoring.score_shard import score_parts
    from realframe.scoring.scoring_job import Job

    form, settings = context["params"], get_settings()
    score_parts(Job.of(place(form), form["name"], settings), [part], settings)


@task(trigger_rule=TriggerRule.NONE_FAILED)  # also where there was nothing new
def gather_scores(**context: Any) -> dict[str, Any]:
    """Write the table of all verdicts; tell and return how many files got which."""
    from realframe.scoring.scoring_job import Job
    from realframe.scoring.scoring_plan import gather

    form = context["params"]
    summary = gather(Job.of(place(form), form["name"], get_settings()))
    print(summary)
    return summary.model_dump()


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1, tags=["realframe"], doc_md=__doc__, params=FORM)
def score_media() -> None:
    """Draw the graph."""
    score_shard.expand(part=list_files()) >> gather_scores()


score_media()
