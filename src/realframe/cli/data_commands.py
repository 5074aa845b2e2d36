"""The command ``realframe ingest``.

The command ``realframe frames``.

The commands ``realframe metadata ...``.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

_SHOWN = 10  # files that were not taken are named up to so many


def ingest(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="a folder, a media file, or a CSV of labels (then only the files that it names); default: the inbox", show_default=False
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="the CSV of labels, where it does not lie in the folder", show_default=False)
    ] = None,
    label: Annotated[Literal["real", "fake"] | None, typer.Option(help="what all these files are", show_default=False)] = None,
    generator: Annotated[str, typer.Option(help="what made all these files")] = "",
    source: Annotated[str, typer.Option(help="where all these files come from: a camera, a collection, a customer")] = "",
    group: Annotated[str, typer.Option(help="all these files belong together and stay in one split")] = "",
    licence: Annotated[str, typer.Option(help="under which these files may be used; the model card says so")] = "",
) -> None:
    """Take videos and images into `data/raw`, by copy. Your files are never changed, and the same bytes are kept once.

    What is real and what is fake is read from the folders (`real/`, `fake/`, also `ai/`, `Celeb-real/`, `Celeb-synthesis/`, ...) or from a
    CSV with the columns `file_path,label` and, where known, `generator,source,group,split,licence`. `fake/NAME/` names the generator,
    `real/NAME/` the source; `train/`, `val/` and `test/` above them are splits that are kept.

    Examples:

        realframe ingest ~/videos --manifest labels.csv

        realframe ingest labels.csv

        realframe ingest ~/sora --label fake --generator sora

        realframe ingest
    """
    from realframe.data.ingest import ingest as take_in
    from realframe.data.labels import FileEntry
    from realframe.settings import get_settings
    from realframe.store.repository import open_store
    from realframe.store.takedown import taken_down_ids

    settings = get_settings()
    facts = FileEntry("", label or "", generator, source, group, licence=licence)
    with open_store(settings) as store:
        taken_down = taken_down_ids(store)
    summary = take_in(
        path or settings.inbox_dir,
        settings.raw_dir,
        cache_dir=settings.cache_dir,
        manifest=manifest,
        facts=facts,
        workers=settings.workers,
        barred=taken_down,
    )
    settings.regression_dir.mkdir(parents=True, exist_ok=True)  # a dependency of dvc.yaml, also where it is empty
    typer.echo(summary)
    for file, problem in list(summary.problems.items())[:_SHOWN]:
        typer.echo(f"  {file} {problem.reason}. {problem.hint}")
    if len(summary.problems) > _SHOWN:
        typer.echo(f"  ... and {len(summary.problems) - _SHOWN} more")
    if summary.labels[""]:
        typer.echo("The unlabelled ones will be quarantined: name a --label, give a --manifest, or put them into folders real/ and fake/.")
    if summary.copied:
        typer.echo(f"They lie in {summary.batch}. Next: realframe run")


def frames(
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", dir_okay=False, help="the file to write")],
    dataset: Annotated[
        str | None, typer.Option(metavar="dataset/vN", help="a dataset version; default: the newest", show_default=False)
    ] = None,
) -> None:
    """Write a table of all frames that were sampled for a dataset version, one row per frame, as a CSV.

    It says of which item each frame is, its label, generator, source, group and split, its time in the video, and whether cleaning kept it.

    Examples:

        realframe frames frames.csv

        realframe frames old.csv --dataset dataset/v1
    """
    from realframe.files import atomic_path
    from realframe.runs.frame_export import choose_dataset, sampled_frames
    from realframe.settings import get_settings

    root = get_settings().root
    tag = choose_dataset(root, dataset)
    table = sampled_frames(root, tag)
    with atomic_path(out) as temporary:
        table.to_csv(temporary, index=False)
    typer.echo(f"{out}: {len(table)} frames of {table['media_id'].nunique()} items of {tag}, {int(table['kept'].sum())} of them kept")


metadata_app = typer.Typer(help="The index over all runs, in MongoDB.", no_args_is_help=True, rich_markup_mode="markdown")


@metadata_app.command()
def sync() -> None:
    """Rebuild the index from the manifests of all runs and from the model registry. Decisions are left alone.

    Example:

        realframe metadata sync
    """
    from realframe.registry import model_registry
    from realframe.settings import get_settings
    from realframe.store.index_sync import sync_all
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        summary = sync_all(settings.root, store, model_registry.versions)
    typer.echo(", ".join(f"{number} {name}" for name, number in summary.documents.items()))
    if summary.removed:
        typer.echo(f"{summary.removed} removed that no run accounts for any more")
    for problem in summary.lost:
        typer.secho(problem, fg=typer.colors.YELLOW, err=True)
    if summary.lost:
        typer.echo("Nothing was removed, since some runs could not be read.")
        raise typer.Exit(1)


@metadata_app.command()
def status() -> None:
    """Say where the index lies and what it holds.

    Example:

        realframe metadata status
    """
    from realframe.settings import get_settings
    from realframe.store.documents import DOCUMENTS
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        typer.echo(f"{store.address} (database {get_settings().mongodb_database})")
        for cls in DOCUMENTS:
            typer.echo(f"{cls.COLLECTION:>12} {len(store.keys(cls))}")
