"""The commands ``bonafide metadata ...``."""

import typer

app = typer.Typer(help="The index over all runs, in MongoDB.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command()
def sync() -> None:
    """Rebuild the index from the manifests of all runs and from the model registry. Decisions are left alone.

    Example:

        bonafide metadata sync
    """
    from bonafide.metadata.store import open_store
    from bonafide.metadata.sync import sync_all
    from bonafide.settings import get_settings
    from bonafide.tracking import registry

    settings = get_settings()
    with open_store(settings) as store:
        summary = sync_all(settings.root, store, registry.versions)
    typer.echo(", ".join(f"{number} {name}" for name, number in summary.documents.items()))
    if summary.removed:
        typer.echo(f"{summary.removed} removed that no run accounts for any more")
    for problem in summary.lost:
        typer.secho(problem, fg=typer.colors.YELLOW, err=True)
    if summary.lost:
        typer.echo("Nothing was removed, since some runs could not be read.")
        raise typer.Exit(1)


@app.command()
def status() -> None:
    """Say where the index lies and what it holds.

    Example:

        bonafide metadata status
    """
    from bonafide.metadata.schema import DOCUMENTS
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        typer.echo(f"{store.address} (database {get_settings().mongodb_database})")
        for cls in DOCUMENTS:
            typer.echo(f"{cls.COLLECTION:>12} {len(store.keys(cls))}")
