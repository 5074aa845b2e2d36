"""The command ``bonafide frames``."""

from pathlib import Path
from typing import Annotated

import typer


def frames(
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", dir_okay=False, help="the file to write")],
    dataset: Annotated[
        str | None, typer.Option(metavar="dataset/vN", help="a dataset version; default: the newest", show_default=False)
    ] = None,
) -> None:
    """Write a table of all frames that were sampled for a dataset version, one row per frame, as a CSV.

    It says of which item each frame is, its label, generator, source, group and split, its time in the video, and whether cleaning kept it.

    Examples:

        bonafide frames frames.csv

        bonafide frames old.csv --dataset dataset/v1
    """
    from bonafide.files import atomic_path
    from bonafide.runs.export import choose_dataset, sampled_frames
    from bonafide.settings import get_settings

    root = get_settings().root
    tag = choose_dataset(root, dataset)
    table = sampled_frames(root, tag)
    with atomic_path(out) as temporary:
        table.to_csv(temporary, index=False)
    typer.echo(f"{out}: {len(table)} frames of {table['media_id'].nunique()} items of {tag}, {int(table['kept'].sum())} of them kept")
