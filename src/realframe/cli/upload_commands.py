"""The command ``realframe uploads purge``: delete what is stored of uploaded files."""

import json
from typing import Annotated

import typer

uploads_app = typer.Typer(help="Delete uploaded files and their results.", no_args_is_help=True, rich_markup_mode="markdown")


@uploads_app.callback()
def uploads() -> None:
    """Delete uploaded files and their results."""


@uploads_app.command()
def purge(
    older_than: Annotated[
        float, typer.Option("--older-than", metavar="DAYS", min=0, max=36500, help="uploads that arrived longer ago; 0 for all")
    ],
    owner: Annotated[str, typer.Option(metavar="NAME", help="only those of one account", show_default=False)] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask for confirmation")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON and do not ask; nothing is deleted without --yes")] = False,
) -> None:
    """Delete uploads: the file, its pictures, its record with the result, and its predictions. Links to them end.

    Uploads that are not scored yet stay. So does what is not an upload any more: files that people have labeled or that are in a dataset
    (`realframe takedown` removes those), and the ledger. `docs/privacy.md` says what is stored where.

    Examples:

        realframe uploads purge --older-than 30

        realframe uploads purge --older-than 0 --owner ada --yes

        realframe uploads purge --older-than 7 --json | jq '.uploads[].file'
    """
    from datetime import UTC, datetime, timedelta

    from realframe.presentation.formatting import format_size
    from realframe.settings import get_settings
    from realframe.store import detection_records
    from realframe.store.repository import open_store

    settings, before = get_settings(), datetime.now(UTC) - timedelta(days=older_than)
    with open_store(settings) as store:
        found = detection_records.list_finished(store, before, owner)
        stored_bytes = sum(upload.bytes for upload in found if upload.has_files)
        summary = f"{len(found):,} upload{'' if len(found) == 1 else 's'}, {format_size(stored_bytes)} of files"
        if not as_json:
            typer.echo(summary)
        if found and not as_json and not yes:
            typer.confirm("Delete them, with their results?", abort=True)
        steps = list(detection_records.delete_finished(store, settings, before, owner)) if yes or not as_json else []
    deleted, predictions = (sum(step[part] for step in steps) for part in (0, 1))
    if as_json:
        uploads_found = [upload._asdict() for upload in found]
        result = {"before": before.isoformat(), "deleted": deleted, "predictions": predictions, "bytes": stored_bytes}
        typer.echo(json.dumps(result | {"uploads": uploads_found}, indent=1))
    elif found:
        typer.echo(f"Deleted {deleted:,} upload{'' if deleted == 1 else 's'}, and from the stored predictions {predictions:,}.")
