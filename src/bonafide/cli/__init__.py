"""The command ``bonafide``. What a command needs is imported when it runs: ``--help`` answers at once."""

import logging
import os
import sys

import typer

from bonafide.cli import feedback, keys, lineage, metadata, pipeline, registry, regression, users
from bonafide.cli.compare import compare_recipes
from bonafide.cli.demo import demo, demo_data
from bonafide.cli.detect import detect
from bonafide.cli.doctor import doctor
from bonafide.cli.drift import drift
from bonafide.cli.evaluate import evaluate
from bonafide.cli.frames import frames
from bonafide.cli.ingest import ingest
from bonafide.cli.score import score
from bonafide.cli.serve import serve
from bonafide.cli.takedown import takedown
from bonafide.errors import BonafideError

app = typer.Typer(
    name="bonafide",
    help="Tell AI-generated images and videos from real ones, and run the whole life of the detector.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command()(doctor)
app.command("demo-data")(demo_data)
app.command()(demo)
app.command()(ingest)
app.command()(pipeline.run)
app.command()(pipeline.params)
app.command("compare-recipes")(compare_recipes)
app.command()(pipeline.up)
app.command()(detect)
app.command()(score)
app.command()(evaluate)
app.command()(lineage.lineage)
app.command()(takedown)
app.command()(serve)
app.command()(drift)
app.command()(frames)
app.add_typer(registry.app, name="registry")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(feedback.app, name="feedback")
app.add_typer(regression.app, name="regression")
app.add_typer(metadata.app, name="metadata")


def main() -> None:
    """Run the command line; an error that a user can mend is one sentence, not a traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what TensorFlow says of GPUs that are not there helps nobody
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # evidence is a few small files
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        app()
    except BonafideError as error:
        typer.secho(f"{error.code}: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
