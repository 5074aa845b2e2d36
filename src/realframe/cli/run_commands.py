"""The commands that run the pipeline and its services: ``run``, ``params``, ``compare-recipes``, ``evaluate`` and ``up``."""

import getpass
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

PUBLISHED = ("efficientnetb0", "efficientnetb3-lstm", "inceptionv3-rnn", "mobilenetv2-rnn", "lstm", "efficientnetv2b0-bilstm")
"""The recipes with a published counterpart."""

_STOPPED = 130  # as a shell reports a program that Ctrl-C stopped

_Overrides = Annotated[
    list[str] | None,
    typer.Option("-S", "--set", metavar="KEY=VALUE", help="set a parameter, such as `recipe=scratch` or `train.phase1.epochs=3`"),
]
_Version = Annotated[str, typer.Argument(metavar="VERSION|ALIAS", help="a version number, or an alias such as `champion`")]


def run(
    dag: Annotated[str, typer.Argument(help="`prepare_data`, `train_model`, or `all`: both in this order")] = "all",
    settings: _Overrides = None,
) -> None:
    """Run the pipeline without Airflow. Stages, commit and registered model are the same as with it.

    Ctrl-C stops the run and all its processes; a second one does not wait for them to end. Finished stages stay in DVC's cache, and a
    training continues after its last epoch, so that the next run repeats nothing. `realframe runs list` shows what is left of it.

    What it prints is also in a log file, `.realframe/runs/RUN.log`, which is named at its start and where it fails.

    Examples:

        realframe run

        realframe run -S recipe=efficientnetv2b0 -S train.phase1.epochs=20

        realframe run prepare_data -S 'extract.sampling={every: 3}'
    """
    from realframe.config import parse_overrides
    from realframe.runs.run_lifecycle import run_all
    from realframe.settings import get_settings

    overrides = parse_overrides(settings or [])
    recipe = overrides.pop("recipe", None)
    for name in ("prepare_data", "train_model") if dag == "all" else (dag,):
        with _stoppable_run():
            summary = run_all(name, get_settings(), recipe=recipe, overrides=overrides)
        typer.echo(summary)
        if summary.version:
            store_gate_result(summary.version)


def params(settings: _Overrides = None) -> None:
    """Print the resolved parameters and where each value comes from.

    Examples:

        realframe params

        realframe params -S recipe=scratch
    """
    from rich.console import Console

    from realframe import artifacts
    from realframe.config import flatten, parse_overrides, resolve_params
    from realframe.presentation.terminal_table import make_table
    from realframe.settings import get_settings

    overrides = parse_overrides(settings or [])
    get_settings().require_checkout()
    root = get_settings().root
    recipe = overrides.pop("recipe", None)
    resolved = resolve_params(root / artifacts.PARAMS, root / artifacts.RECIPES, recipe=recipe, overrides=overrides)
    values = flatten(resolved.params.model_dump(mode="json", exclude_none=True))
    rows = [(key, str(value), resolved.origins[key]) for key, value in values]
    Console().print(make_table(("parameter", "value", "from"), rows))


def compare_recipes(
    recipes: Annotated[list[str] | None, typer.Argument(help=f"recipe names; default: {', '.join(PUBLISHED)}", show_default=False)] = None,
    settings: _Overrides = None,
    allow_random_weights: Annotated[
        bool, typer.Option("--allow-random-weights", help="start from random weights where the ImageNet weights are missing")
    ] = False,
    clips: Annotated[int, typer.Option(help="number of test clips that each saved model scores in a new process", min=1)] = 8,
    output: Annotated[Path | None, typer.Option(help="also write the table into this Markdown page")] = None,
) -> None:
    """Train several recipes on the same split of the newest dataset version, videos only, and compare their figures in one table.

    Each is a run like any other: committed, logged and registered. The table is logged to MLflow too. The new processes measure the time
    per clip and check that a saved model gives the same scores.

    Examples:

        realframe compare-recipes

        realframe compare-recipes lstm mobilenetv2-rnn -S train.phase1.epochs=5

        realframe compare-recipes --allow-random-weights --output docs/results.md
    """
    from realframe.config import parse_overrides
    from realframe.runs import compare_recipes as comparison
    from realframe.settings import get_settings

    names, overrides = recipes or list(PUBLISHED), parse_overrides(settings or [])
    with _stoppable_run():
        compared = comparison.compare_recipes(names, get_settings(), overrides, allow_random_weights=allow_random_weights, clips=clips)
    text = comparison.comparison_markdown(compared)
    typer.echo(text)
    if output:
        comparison.insert_section(output, text)
    typer.echo(f"\nLogged to MLflow as run {comparison.log_comparison(compared, text)}")


def evaluate(
    version: _Version = "challenger",
    leave_one_generator_out: Annotated[
        bool | None,
        typer.Option(
            "--leave-one-generator-out/--no-leave-one-generator-out",
            help="for each generator, train without it and test on it; default: as in the version's own run",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Evaluate a registered version again, with the code of its commit and on its dataset version. The model is not trained again.

    Unchanged stages are taken from the cache. The new figures and the new report replace those of the version.

    Examples:

        realframe evaluate

        realframe evaluate 3 --leave-one-generator-out

        realframe evaluate champion --no-leave-one-generator-out
    """
    from realframe.registry import model_registry
    from realframe.runs.reevaluate import reevaluate
    from realframe.settings import get_settings

    resolved = model_registry.resolve_version(version)
    overrides = {} if leave_one_generator_out is None else {"evaluate.leave_one_generator_out": leave_one_generator_out}
    with _stoppable_run():
        metrics = reevaluate(resolved, get_settings(), overrides, getpass.getuser())
    for line in _figure_lines(resolved.version, metrics):
        typer.echo(line)
    store_gate_result(resolved.version)


def up(
    airflow_port: Annotated[int, typer.Option(min=1, max=65535, help="port of Airflow on this machine")] = 8080,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="port of MLflow on this machine")] = 5000,
) -> None:
    """Start Airflow, the MLflow server and the metadata store, and print their addresses. Ctrl-C stops all of them.

    Examples:

        realframe up

        realframe up --airflow-port 8081
    """
    from realframe.services.local_services import run_services
    from realframe.settings import get_settings

    run_services(get_settings(), airflow_port=airflow_port, mlflow_port=mlflow_port)


@contextmanager
def _stoppable_run() -> Iterator[None]:
    """Stop the run in this block on Ctrl-C and SIGTERM, and say what is left of it; name the log of a run that fails."""
    from realframe.presentation.formatting import format_size
    from realframe.runs.pipeline_run import list_saved_runs
    from realframe.runs.run_inventory import list_runs
    from realframe.settings import get_settings

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = datetime.now(UTC)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("\nStopped. Finished stages stay in DVC's cache: the same command continues after them.", err=True)
        settings = get_settings()
        if (entries := list_runs(settings)) and entries[0].run.outcome == "killed":
            entry = entries[0]
            typer.echo(f"Left: {entry.run.folder(settings)} ({format_size(entry.disk_bytes)}) and the branch {entry.run.branch}.", err=True)
            typer.echo(f"To remove them: realframe runs remove {entry.run.id}", err=True)
        raise typer.Exit(_STOPPED) from None
    except Exception:
        settings = get_settings()
        runs = [run for run in list_saved_runs(settings) if run.created >= began and run.outcome == "failed"]  # else it was not created
        if runs and (log := runs[0].log_file(settings)).exists():
            typer.echo(f"Log of the run: {log}", err=True)
        raise


def store_gate_result(version: int) -> None:
    """Compute and store the gate's result of a version that was registered or evaluated; say so where that fails, as the version stays."""
    from realframe.errors import RealframeError
    from realframe.governance.gate import ensure_gate_result
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    try:
        with open_store(get_settings()) as store:
            typer.echo(f"gate of version {version}: {ensure_gate_result(version, store).headline}")
    except RealframeError as error:
        message = f"the gate of version {version} is not computed: {error} Then run `realframe registry gate {version}`."
        typer.secho(message, fg=typer.colors.YELLOW, err=True)


def _figure_lines(version: int, metrics: dict[str, Any]) -> list[str]:
    """Return the main figures as lines: on unseen sources, on unseen generators, and last on the test split."""
    from realframe.registry.model_registry import format_metric_with_interval
    from realframe.registry.unseen_sources import describe_unseen_sources

    held_out, item = metrics["held_out"] or {}, metrics["test"]["item"]
    generators = [f"  without {row['name']}: {format_metric_with_interval(row['roc_auc'])}" for row in held_out.get("generators", [])]
    unseen = (
        f"on unseen generators, mean: {format_metric_with_interval(held_out['macro'])}" if held_out else "not measured on unseen generators"
    )
    test = f"ROC-AUC of test items, from the sources of the training: {format_metric_with_interval(item['roc_auc'])}"
    return [f"version {version}", *describe_unseen_sources(metrics), *generators, unseen, test]
