"""Commands that run the pipeline and its services: ``run``, ``params``, ``up``."""

from typing import Annotated

import typer

_SET = typer.Option("-S", "--set", metavar="KEY=VALUE", help="set a parameter of this run: `recipe=scratch`, `train.phase1.epochs=3`")


def run(
    dag: Annotated[str, typer.Argument(help="`prepare_data`, `train_model`, or `all`: the one and then the other")] = "all",
    settings: Annotated[list[str] | None, _SET] = None,
) -> None:
    """Run the pipeline without Airflow: the same stages, the same commit, the same registered model.

    Examples:

        bonafide run

        bonafide run -S recipe=efficientnetv2b0 -S train.phase1.epochs=20

        bonafide run prepare_data -S 'extract.sampling={every: 3}'
    """
    from bonafide.params import read_settings
    from bonafide.runs.lifecycle import run_all
    from bonafide.runs.output import sieved_errors
    from bonafide.settings import get_settings

    values = read_settings(settings or [])
    recipe = values.pop("recipe", None)
    for name in ("prepare_data", "train_model") if dag == "all" else (dag,):
        with sieved_errors():
            made = run_all(name, get_settings(), recipe=recipe, overrides=values)
        typer.echo(made)


def params(settings: Annotated[list[str] | None, _SET] = None) -> None:
    """Print the resolved parameters and where each value came from.

    Examples:

        bonafide params

        bonafide params -S recipe=scratch
    """
    from rich.console import Console
    from rich.table import Column, Table

    from bonafide import artefacts
    from bonafide.params import leaves, read_settings, resolve

    values = read_settings(settings or [])
    resolved = resolve(artefacts.PARAMS, artefacts.RECIPES, recipe=values.pop("recipe", None), overrides=values)
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

        bonafide up

        bonafide up --airflow-port 8081
    """
    from bonafide.services.up import up as start
    from bonafide.settings import get_settings

    start(get_settings(), airflow_port=airflow_port, mlflow_port=mlflow_port)
