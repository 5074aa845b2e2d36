"""The command ``bonafide takedown``."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from bonafide.metadata.takedown import Touched

_SHOWN = 10


def takedown(
    item: Annotated[str, typer.Argument(metavar="MEDIA_ID|FILE", help="a file, or the first hex digits of a media id", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", "-m", help="why it must not be used; it stands in the record", show_default=False)],
    by: Annotated[str, typer.Option(help="who asks; default: your login name", show_default=False)] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="don't ask back")] = False,
) -> None:
    """Take a media item out of use: show every dataset and model version that it touched, delete it, and keep it out for ever.

    The request is recorded. The next dataset version is made without the item, and the same bytes are never taken in again. Model
    versions that were trained on it stay as they are: train anew. Older dataset versions still hold its bytes in the DVC cache;
    docs/loop.md says how to purge them.

    Examples:

        bonafide takedown 3f9a1c -m "the person in it asked us to"

        bonafide takedown holiday.mp4 --reason "licence withdrawn" --yes
    """
    from rich.console import Console

    from bonafide.metadata import takedown as request
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    settings, console = get_settings(), Console(soft_wrap=True, highlight=False)
    with open_store(settings) as store:
        touched = request.touched(store, settings.root, item)
        _show(touched, console)
        if not yes:
            typer.confirm("Take it down?", abort=True)
        made = request.record(store, touched, reason, by or getpass.getuser())
        gone = request.erase(store, settings, touched.media_id)
    for file in gone:
        console.print(f"deleted {file.relative_to(settings.root) if file.is_relative_to(settings.root) else file}", markup=False)
    console.print(f"recorded: {made.requested_by}, {made.at}: {made.reason}", markup=False)
    console.print("Next: bonafide run prepare_data makes a dataset version without it.")


def _show(touched: "Touched", console: "Console") -> None:
    from bonafide.tracking import registry

    console.print(f"media item {touched.media_id}")
    if touched.known is None:
        console.print("No dataset version has held it.")
        return
    aliases = {version.version: version.aliases for version in registry.versions()}
    console.print(touched.known.media.path, markup=False)
    for sighting in touched.known.seen:
        models = [" ".join((str(model.version), *aliases.get(model.version, ()))) for model in sighting.models]
        dataset = " ".join(("dataset", sighting.dataset, *sighting.tags))
        console.print(f"  {sighting.split} of {dataset}; model versions: {', '.join(models) or 'none'}")
    if any("champion" in aliases.get(version, ()) for version in touched.models):
        console.print("[bold red]The champion is among them.[/]")
    if touched.relatives:
        console.print(f"{len(touched.relatives)} items of its group, or that look like it, stay; should they go too?")
        for path in touched.relatives[:_SHOWN]:
            console.print(f"  {path}", markup=False)
        if len(touched.relatives) > _SHOWN:
            console.print(f"  ... and {len(touched.relatives) - _SHOWN} more")
