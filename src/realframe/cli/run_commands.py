"""Commands that run the pipeline and its services: ``run``, ``params``, ``up``.

The command ``realframe compare-recipes``.

The command ``realframe evaluate``.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

_SET = typer.Option("-S", "--set", metavar="KEY=VALUE", help="set a parameter of this run: `recipe=scratch`, `train.phase1.epochs=3`")


def run(
    dag: Annotated[str, typer.Argument(help="`prepare_data`, `train_model`, or `all`: the one and then the other")] = "all",
    settings: Annotated[list[str] | None, _SET] = None,
) -> None:
    """Run the pipeline without Airflow: the same stages, the same commit, the same registered model.

    Examples:

        realframe run

        realframe run -S recipe=efficientnetv2b0 -S train.phase1.epochs=20

        realframe run prepare_data -S 'extract.sampling={every: 3}'
    """
    from realframe.config import read_settings
    from realframe.runs.output_filter import filtered_errors
    from realframe.runs.run_lifecycle import run_all
    from realframe.settings import get_settings

    values = read_settings(settings or [])
    recipe = values.pop("recipe", None)
    for name in ("prepare_data", "train_model") if dag == "all" else (dag,):
        with filtered_errors():
            made = run_all(name, get_settings(), recipe=recipe, overrides=values)
        typer.echo(made)


def params(settings: Annotated[list[str] | None, _SET] = None) -> None:
    """Print the resolved parameters and where each value came from.

    Examples:

        realframe params

        realframe params -S recipe=scratch
    """
    from rich.console import Console
    from rich.table import Column, Table

    from realframe import artifacts
    from realframe.config import leaves, read_settings, resolve

    values = read_settings(settings or [])
    resolved = resolve(artifacts.PARAMS, artifacts.RECIPES, recipe=values.pop("recipe", None), overrides=values)
    table = Table(Column("parameter", overflow="fold"), Column("value", overflow="fold"), Column("from", overflow="fold"))
    for key, value in leaves(resolved.params.model_dump(mode="json", exclude_none=True)):
        table.add_row(key, str(value), resolved.origin[key])
    Console().print(table)


def up(
    airflow_port: Annotated[int, typer.Option(help="Airflow's port on this machine")] = 8080,
    mlflow_port: Annotated[int, typer.Option(help="MLflow's port on this machine")] = 5000,
) -> None:
    """Start Airflow, the MLflow server and the metadata store; print their addresses; Ctrl-C stops all of them.

    Examples:

        realframe up

        realframe up --airflow-port 8081
    """
    from realframe.services.local_services import up as start
    from realframe.settings import get_settings

    start(get_settings(), airflow_port=airflow_port, mlflow_port=mlflow_port)


_COMPARE_SET = typer.Option("-S", "--set", metavar="KEY=VALUE", help="set a parameter of all runs, such as `train.phase1.epochs=3`")
PUBLISHED = ("efficientnetb0", "efficientnetb3-lstm", "inceptionv3-rnn", "mobilenetv2-rnn", "lstm", "efficientnetv2b0-bilstm")


def compare_recipes(
    recipes: Annotated[list[str] | None, typer.Argument(help=f"their names; default: {', '.join(PUBLISHED)}", show_default=False)] = None,
    settings: Annotated[list[str] | None, _COMPARE_SET] = None,
    random_where_missing: Annotated[
        bool, typer.Option("--random-where-missing", help="begin with random weights where ImageNet's can't be had, and say so")
    ] = False,
    clips: Annotated[int, typer.Option(help="test clips that each model scores in a fresh process, for time and identity", min=1)] = 8,
    output: Annotated[Path | None, typer.Option(help="also put the table into this Markdown page")] = None,
) -> None:
    """Train several recipes on the videos of the newest dataset version, on the same split, and lay their figures side by side.

    Each is a run like any other: committed, logged, registered. The table goes to MLflow too.

    Examples:

        realframe compare-recipes

        realframe compare-recipes lstm mobilenetv2-rnn -S train.phase1.epochs=5

        realframe compare-recipes --random-where-missing --output docs/results.md
    """
    from realframe.config import read_settings
    from realframe.runs.compare_recipes import compare, log_table, markdown, put_into
    from realframe.settings import get_settings

    names = recipes or list(PUBLISHED)
    compared = compare(names, get_settings(), read_settings(settings or []), random_where_missing=random_where_missing, clips=clips)
    text = markdown(compared)
    typer.echo(text)
    if output:
        put_into(output, text)
    typer.echo(f"\nlogged to MLflow as run {log_table(compared, text)}")


_Version = Annotated[str, typer.Argument(metavar="VERSION|ALIAS", help="a version's number, or an alias that points to it")]
_HeldOut = Annotated[
    bool | None,
    typer.Option(
        "--leave-one-generator-out/--no-leave-one-generator-out",
        help="train once more without each generator and test on it; by default as when the version was trained",
        show_default=False,
    ),
]


def evaluate(version: _Version = "challenger", leave_one_generator_out: _HeldOut = None) -> None:
    """Measure a registered version's evidence anew, by its own commit's code and on its own data; it is not trained again.

    What has not changed since is not measured again. The new figures and the new report replace those that stand on the version.

    Examples:

        realframe evaluate

        realframe evaluate 3 --leave-one-generator-out

        realframe evaluate champion --no-leave-one-generator-out
    """
    import getpass

    from realframe.registry import model_registry
    from realframe.runs.output_filter import filtered_errors
    from realframe.runs.reevaluate import reevaluate as evaluate_again
    from realframe.settings import get_settings

    chosen = model_registry.named(version)
    overrides = {} if leave_one_generator_out is None else {"evaluate.leave_one_generator_out": leave_one_generator_out}
    with filtered_errors():
        metrics = evaluate_again(chosen, get_settings(), overrides, getpass.getuser())
    for line in _said(chosen.version, metrics):
        typer.echo(line)


def _said(version: int, metrics: dict[str, Any]) -> list[str]:
    """Return what people read of the figures, the held-out one last."""
    from realframe.registry.model_registry import shown

    known = f"version {version}: ROC-AUC of test items {shown(metrics['test']['item']['roc_auc'])}"
    held_out = metrics["held_out"]
    if held_out is None:
        return [known, "not measured on unseen generators"]
    each = [f"  without {row['name']}: {shown(row['roc_auc'])}" for row in held_out["generators"]]
    return [known, *each, f"on unseen generators, their mean: {shown(held_out['macro'])}"]
