"""The command ``bonafide lineage``."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bonafide.metadata.lineage import MediaLineage, ModelLineage

_SHOWN = 20
_SPLITS = ("train", "val", "test")


def lineage(
    model: Annotated[str | None, typer.Option(help="a model version, `champion` or `challenger`", show_default=False)] = None,
    media: Annotated[str | None, typer.Option(help="a file, or the first hex digits of a media id", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="everything, as JSON")] = False,
) -> None:
    """List the media that a model version was trained on, or the versions that saw a media item.

    Examples:
        bonafide lineage --model 3

        bonafide lineage --media holiday.mp4

        bonafide lineage --media 3f9a1c --json
    """
    from bonafide.metadata.lineage import of_media, of_model
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings
    from bonafide.tracking.registry import named

    if (model is None) == (media is None):
        raise typer.BadParameter("name one of --model and --media")
    with open_store(get_settings()) as store:
        found = of_model(store, named(model).version) if model is not None else of_media(store, str(media))
    if json:
        typer.echo(found.model_dump_json(indent=1))
    elif model is not None:
        _show_model(found)  # type: ignore[arg-type]
    else:
        _show_media(found)  # type: ignore[arg-type]


def _show_model(found: "ModelLineage") -> None:
    model = found.model
    typer.echo(f"version {model.version}: recipe {model.recipe}, commit {model.commit[:10]}, MLflow run {model.run_id}")
    typer.echo(f"dataset {model.dataset} {' '.join(found.tags)}".rstrip())
    for split in _SPLITS:
        counts = [f"{count.items} {count.label} {count.kind}s" for count in found.counts if count.split == split]
        typer.echo(f"  {split}: {', '.join(counts)}")
    typer.echo(f"trained on {len(found.trained_on)} media items:")
    for item in found.trained_on[:_SHOWN]:
        typer.echo(f"  {item.media_id[:12]} {item.label:4} {item.kind:5} {item.path}")
    if len(found.trained_on) > _SHOWN:
        typer.echo(f"  ... and {len(found.trained_on) - _SHOWN} more: --json lists all")


def _show_media(found: "MediaLineage") -> None:
    media = found.media
    typer.echo(f"{media.media_id[:12]} {media.label} {media.kind} {media.path}")
    if not found.seen:
        typer.echo("in no dataset version")
    for sighting in found.seen:
        models = ", ".join(str(model.version) for model in sighting.models) or "none"
        typer.echo(f"  {sighting.split} of dataset {sighting.dataset} {' '.join(sighting.tags)}".rstrip() + f"; model versions: {models}")
