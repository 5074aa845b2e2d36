"""The command ``realframe``. What a command needs is imported when it runs: ``--help`` answers at once."""

import logging
import os
import sys

import typer

from realframe.cli import account_commands, data_commands, feedback_commands, lineage_commands, registry_commands, run_commands
from realframe.cli.data_commands import frames, ingest
from realframe.cli.detect_command import detect, score
from realframe.cli.feedback_commands import drift
from realframe.cli.lineage_commands import takedown
from realframe.cli.run_commands import compare_recipes, evaluate
from realframe.cli.service_commands import demo, demo_data, doctor, serve
from realframe.errors import RealframeError

app = typer.Typer(
    name="realframe",
    help="Tell AI-generated images and videos from real ones, and run the whole life of the detector.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(doctor)
app.command("demo-data")(demo_data)
app.command()(demo)
app.command()(ingest)
app.command()(run_commands.run)
app.command()(run_commands.params)
app.command("compare-recipes")(compare_recipes)
app.command()(run_commands.up)
app.command()(detect)
app.command()(score)
app.command()(evaluate)
app.command()(lineage_commands.lineage)
app.command()(takedown)
app.command()(serve)
app.command()(drift)
app.command()(frames)
app.add_typer(registry_commands.registry_app, name="registry")
app.add_typer(account_commands.users_app, name="users")
app.add_typer(account_commands.keys_app, name="keys")
app.add_typer(feedback_commands.feedback_app, name="feedback")
app.add_typer(feedback_commands.regression_app, name="regression")
app.add_typer(data_commands.metadata_app, name="metadata")


def main() -> None:
    """Run the command line; an error that a user can mend is one sentence, not a traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what TensorFlow says of GPUs that are not there helps nobody
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # evidence is a few small files
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        app()
    except RealframeError as error:
        typer.secho(f"{error.code}: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
