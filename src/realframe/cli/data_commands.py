"""The commands ``realframe ingest``, ``realframe frames`` and ``realframe metadata``: data in, tables out, and the index over all runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from realframe.data.ingest import IngestSummary

_LISTED_PROBLEMS = 10


def ingest(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="a folder, a media file, or a CSV of labels (then only the files that it names); default: the inbox", show_default=False
        ),
    ] = None,
    label_csv: Annotated[Path | None, typer.Option(help="the CSV of labels, if it is not in the folder itself", show_default=False)] = None,
    label: Annotated[Literal["real", "fake"] | None, typer.Option(help="label of all these files", show_default=False)] = None,
    labels: Annotated[
        str, typer.Option(metavar="WORD=real|fake|none,...", help="what words in the CSV and names of folders mean", show_default=False)
    ] = "",
    trust: Annotated[
        Literal["csv", "folders"] | None,
        typer.Option(help="what counts where a CSV and the folders contradict each other", show_default=False),
    ] = None,
    layout: Annotated[
        str | None, typer.Option(metavar="NAME", help="layout of a public data set; see docs/data.md", show_default=False)
    ] = None,
    unpack: Annotated[bool, typer.Option("--unpack", help="also ingest what is in ZIP and tar archives")] = False,
    generator: Annotated[str, typer.Option(help="generator of all these files")] = "",
    source: Annotated[str, typer.Option(help="source of all these files: a camera, a collection, a customer")] = "",
    group: Annotated[str, typer.Option(help="group of all these files; a group stays in one split")] = "",
    license_name: Annotated[str, typer.Option("--license", help="license of all these files, for the model card")] = "",
) -> None:
    """Copy videos and images into `data/raw`. The originals are never changed, and the same content is stored once.

    The labels come from the folders (`real/`, `fake/`, also `ai/`, `original/`, ...) or from a CSV with the columns `file_path,label` and
    optionally `generator,source,group,split,licence`. In `fake/NAME/` the name is the generator, in `real/NAME/` the source; a folder
    `train/`, `val/` or `test/` above them fixes the split. Where folders or a CSV contradict each other, nothing is copied: `--labels` and
    `--trust` say what counts.

    Layouts of public data sets, recognized where they are certain: celeb-df, cifake, dfdc, faceforensics, forensynths, genimage; and
    imagefolder, for one folder a class.

    Exit status: 0 everything was read; 1 a file or folder is missing or could not be read.

    Examples:

        realframe ingest ~/videos --label-csv labels.csv

        realframe ingest labels.csv

        realframe ingest ~/sora --label fake --generator sora

        realframe ingest ~/Celeb-DF --layout celeb-df

        realframe ingest ~/set --labels 0=fake,1=real

        realframe ingest
    """
    from functools import partial

    from realframe.data.archives import ingest_archives
    from realframe.data.ingest import ingest as ingest_files
    from realframe.data.labels import FileEntry, LabelOptions, parse_meanings
    from realframe.data.public_layouts import LAYOUT_NAMES
    from realframe.settings import get_settings
    from realframe.store.repository import open_store
    from realframe.store.takedown import list_taken_down_ids

    if layout and layout not in LAYOUT_NAMES:
        raise typer.BadParameter(f"{layout!r} is none of {', '.join(LAYOUT_NAMES)}.", param_hint="--layout")
    options = LabelOptions(parse_meanings(labels), trust or "", layout or "")
    settings = get_settings()
    settings.require_checkout()
    with open_store(settings) as store:
        taken_down = list_taken_down_ids(store)
    ingest_folder = partial(
        ingest_files,
        raw_dir=settings.raw_dir,
        cache_dir=settings.cache_dir,
        overrides=FileEntry("", label or "", generator, source, group, licence=license_name),
        options=options,
        workers=settings.workers,
        taken_down_ids=taken_down,
    )
    summary = ingest_folder(path or settings.inbox_dir, label_csv=label_csv)
    if unpack:
        ingest_archives(summary, path or settings.inbox_dir, settings.state_dir / "unpacked", ingest_folder)
    settings.regression_dir.mkdir(parents=True, exist_ok=True)  # a dependency of dvc.yaml, also where it is empty
    _print_ingest(summary)
    raise typer.Exit(summary.has_unread_files)


def _print_ingest(summary: "IngestSummary") -> None:
    typer.echo(summary)
    for note in summary.notes[:_LISTED_PROBLEMS]:
        typer.echo(f"  {note}")
    problems = [*summary.rejected.items(), *summary.skipped.items()]
    for file, problem in problems[:_LISTED_PROBLEMS]:
        typer.echo(f"  {file} {problem.reason}. {problem.hint}".rstrip())
    if len(problems) > _LISTED_PROBLEMS:
        typer.echo(f"  ... and {len(problems) - _LISTED_PROBLEMS} more")
    if summary.labels[""]:
        typer.echo("Unlabeled files will be quarantined. Use --label or --label-csv, or move them into folders named real/ and fake/.")
    if summary.copied_count:
        typer.echo(f"Copied to {summary.batch}. Next: realframe run")


def frames(
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", dir_okay=False, help="the file to write")],
    dataset: Annotated[
        str | None, typer.Option(metavar="dataset/vN", help="a dataset version; default: the newest", show_default=False)
    ] = None,
) -> None:
    """Export the sampled frames of a dataset version as a CSV, one row per frame.

    The columns: the item of the frame, its label, generator, source, group and split, the time in the video, and whether cleaning kept it.

    Examples:

        realframe frames frames.csv

        realframe frames old.csv --dataset dataset/v1
    """
    from realframe.files import atomic_path
    from realframe.runs.dataset_versions import choose_dataset_tag, list_sampled_frames
    from realframe.settings import get_settings

    root = get_settings().root
    tag = choose_dataset_tag(root, dataset)
    table = list_sampled_frames(root, tag)
    with atomic_path(out) as temporary:
        table.to_csv(temporary, index=False)
    typer.echo(f"{out}: {len(table)} frames of {table['media_id'].nunique()} items of {tag}, {int(table['is_kept'].sum())} of them kept")


metadata_app = typer.Typer(
    help="Inspect and rebuild the index over all runs, in MongoDB.", no_args_is_help=True, rich_markup_mode="markdown"
)


@metadata_app.command()
def sync() -> None:
    """Rebuild the index from the manifests of all runs and from the model registry. Decisions are not touched.

    Example:

        realframe metadata sync
    """
    from realframe.registry import model_registry
    from realframe.settings import get_settings
    from realframe.store.index_sync import sync_all
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        summary = sync_all(settings.root, store, model_registry.list_versions)
    typer.echo(", ".join(f"{number} {name}" for name, number in summary.documents.items()))
    if summary.removed:
        typer.echo(f"{summary.removed} documents removed: no run contains them")
    for problem in summary.unreadable:
        typer.secho(problem, fg=typer.colors.YELLOW, err=True)
    if summary.unreadable:
        typer.echo("Nothing was removed, because some runs cannot be read.")
        raise typer.Exit(1)


@metadata_app.command()
def status() -> None:
    """Show the address of the index and its number of documents.

    Example:

        realframe metadata status
    """
    from realframe.settings import get_settings
    from realframe.store.repository import DOCUMENTS, open_store

    with open_store(get_settings()) as store:
        typer.echo(f"{store.address} (database {get_settings().mongodb_database})")
        for cls in DOCUMENTS:
            typer.echo(f"{cls.COLLECTION:>12} {len(store.find_keys(cls))}")
