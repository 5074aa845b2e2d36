"""The commands ``realframe export`` and ``realframe features export``: a detector for another runtime, features as NumPy arrays."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

features_app = typer.Typer(help="The features of a run's media, for other programs.", no_args_is_help=True)


class ExportFormat(StrEnum):
    """The formats of ``realframe export``."""

    KERAS, H5, ONNX, TFLITE, SAVED_MODEL = "keras", "h5", "onnx", "tflite", "saved_model"


def export(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="a version number, an alias such as champion, or the folder of a run")],
    format_name: Annotated[ExportFormat, typer.Option("--format", help="format of the network")] = ExportFormat.KERAS,
    output: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="new folder; default: realframe-VERSION-FORMAT", show_default=False)
    ] = None,
    check_files: Annotated[
        Path | None,
        typer.Option(metavar="PATH", exists=True, help="media on which the scores are compared; default: data/raw", show_default=False),
    ] = None,
) -> None:
    """Export a detector to a folder: the network, and `detector.json` with the facts that turn its scores into verdicts.

    The scores of the exported network are compared with those of the version on media. Where they differ, nothing is written. Only
    `keras` holds a detector that `realframe detect --model FOLDER` and the Python API load.

    Example:

        realframe export champion --format onnx
    """
    from realframe.detection.model_export import export_version
    from realframe.settings import get_settings

    settings = get_settings()
    folder = output or Path(f"realframe-{Path(version).name}-{format_name}")
    source = check_files or settings.raw_dir
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    check = export_version(version, format_name.value, folder, files)
    counts = f"{check['frames']} frames of {check['files']} files"
    typer.echo(f"{folder}: {format_name}; the scores of {counts} differ by at most {check['max_difference']:.1e}")


@features_app.command("export")
def export_features(
    run: Annotated[str, typer.Argument(metavar="RUN", help="branch or commit of a training run, such as runs/NAME")],
    npy: Annotated[Path, typer.Option("--npy", metavar="FOLDER", help="folder for features.npy, labels.npy and items.csv")],
) -> None:
    """Export the mean features of each item of a training run as NumPy arrays.

    `features.npy` is float32 (items, width), `labels.npy` uint8 (items,) with 1 for fake, `items.csv` has the id, split, kind, generator,
    source and path of each row.

    Example:

        realframe features export runs/20261128-031500 --npy features/
    """
    from realframe.runs.feature_export import write_feature_arrays
    from realframe.settings import get_settings

    shape = write_feature_arrays(get_settings().root, run, npy)
    typer.echo(f"{npy}: {shape[0]} items, {shape[1]} features each")
