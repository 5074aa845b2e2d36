"""The command ``bonafide ingest``."""

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

        bonafide ingest ~/videos --manifest labels.csv

        bonafide ingest labels.csv

        bonafide ingest ~/sora --label fake --generator sora

        bonafide ingest
    """
    from bonafide.dataset.entries import Entry
    from bonafide.dataset.ingest import ingest as take_in
    from bonafide.metadata.store import open_store
    from bonafide.metadata.takedown import barred
    from bonafide.settings import get_settings

    settings = get_settings()
    facts = Entry("", label or "", generator, source, group, licence=licence)
    with open_store(settings) as store:
        taken_down = barred(store)
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
        typer.echo(f"  {file} {problem.reason}. {problem.cure}")
    if len(summary.problems) > _SHOWN:
        typer.echo(f"  ... and {len(summary.problems) - _SHOWN} more")
    if summary.labels[""]:
        typer.echo("The unlabelled ones will be quarantined: name a --label, give a --manifest, or put them into folders real/ and fake/.")
    if summary.copied:
        typer.echo(f"They lie in {summary.batch}. Next: bonafide run")
