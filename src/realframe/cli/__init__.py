"""The command ``realframe``. Each command imports what it needs when it runs, so that ``--help`` answers at once."""

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import typer

from realframe.cli import (
    account_commands,
    dagshub_commands,
    data_commands,
    detect_command,
    export_commands,
    feedback_commands,
    lineage_commands,
    registry_commands,
    run_commands,
    run_list_commands,
    service_commands,
    upload_commands,
)
from realframe.disk_space import is_disk_full, make_disk_full_error
from realframe.errors import RealframeError, SetupError
from realframe.process_environment import prepare_process
from realframe.threads import prepare_import

app = typer.Typer(
    name="realframe",
    help="Detect AI-generated images and videos, and run the detector's whole life cycle: data, training, review, serving, drift.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("doctor")(service_commands.doctor)
app.command("demo-data")(service_commands.demo_data)
app.command("demo")(service_commands.demo)
app.command("ingest")(data_commands.ingest)
app.command("run")(run_commands.run)
app.command("params")(run_commands.params)
app.command("compare-recipes")(run_commands.compare_recipes)
app.command("up")(run_commands.up)
app.command("detect")(detect_command.detect)
app.command("score")(detect_command.score)
app.command("evaluate")(run_commands.evaluate)
app.command("lineage")(lineage_commands.lineage)
app.command("takedown")(lineage_commands.takedown)
app.command("serve")(service_commands.serve)
app.command("drift")(feedback_commands.drift)
app.command("frames")(data_commands.frames)
app.command("export")(export_commands.export)
app.add_typer(export_commands.features_app, name="features")
app.add_typer(run_list_commands.runs_app, name="runs")
app.add_typer(registry_commands.registry_app, name="registry")
app.add_typer(dagshub_commands.dagshub_app, name="dagshub")
app.add_typer(account_commands.users_app, name="users")
app.add_typer(account_commands.keys_app, name="keys")
app.add_typer(upload_commands.uploads_app, name="uploads")
app.add_typer(feedback_commands.feedback_app, name="feedback")
app.add_typer(feedback_commands.regression_app, name="regression")
app.add_typer(data_commands.metadata_app, name="metadata")


def main() -> None:
    """Run the command ``realframe``."""
    run_command_line(app)


def run_command_line(command: typer.Typer) -> None:
    """Run a command line. An error of realframe is printed as one sentence, without a traceback."""
    prepare_process()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides TensorFlow's messages about missing GPUs
    prepare_import()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # the artifacts are a few small files
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        command()
    except RealframeError as error:
        _exit(error)
    except Exception as error:
        if known := _translate_error(error):
            _exit(known)
        raise


def _translate_error(error: Exception) -> RealframeError | None:
    """Return the error of this package for an error that a user can act on; None for a defect."""
    from realframe.settings import get_settings

    if isinstance(error, FileNotFoundError) and error.filename == "git":
        return SetupError("git", "is not installed, or not on the PATH", "Install it, such as by `apt install git`.")
    if isinstance(error, FileNotFoundError) and "No usable temporary directory" in str(error):  # tempfile's own words
        reason = "none of the folders for temporary files can be written to, or their disks are full"
        return SetupError("TMPDIR", reason, "Name a folder on a disk with free space: export TMPDIR=FOLDER")
    settings = get_settings()
    if is_disk_full(error):
        return make_disk_full_error(error, [settings.state_dir, Path(tempfile.gettempdir()), Path.cwd()])
    if isinstance(error, _mlflow_errors()):
        from realframe.registry.mlflow_server import translate_error

        return translate_error(error)
    return None


def _mlflow_errors() -> tuple[type[Exception], ...]:
    """Return MLflow's class of errors, if a command has imported MLflow: that takes seconds."""
    module = sys.modules.get("mlflow.exceptions")
    return (module.MlflowException,) if module else ()


def _exit(error: RealframeError) -> NoReturn:
    typer.secho(f"{error.code}: {error}", fg=typer.colors.RED, err=True)
    sys.exit(1)
