"""The command ``realframe lineage``.

The command ``realframe takedown``.
"""

import getpass
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.tree import Tree

    from realframe.store.documents import Count, Media, Model
    from realframe.store.lineage import DatasetLineage, Lineage, MediaLineage, ModelLineage

_SHOWN = 10
_SPLITS = ("train", "val", "test")
_NAMES = ("champion", "challenger")

Aliases = dict[int, str]


def lineage(
    of: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="a model version, `champion` or `challenger`; a dataset version; a file; or the first hex digits of a media id, a "
            "dataset, a commit or an MLflow run",
            show_default=False,
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="everything, as JSON")] = False,
) -> None:
    """Show the chain from a model version over its run, its commit and its dataset version to its media; or back, from any of them.

    Examples:

        realframe lineage champion

        realframe lineage 3

        realframe lineage dataset/v2

        realframe lineage holiday.mp4

        realframe lineage 3f9a1c --json
    """
    from realframe.registry import model_registry
    from realframe.settings import get_settings
    from realframe.store.lineage import find_lineage
    from realframe.store.repository import open_store

    asked = str(model_registry.named(of).version) if of in _NAMES else of
    with open_store(get_settings()) as store:
        found = find_lineage(store, asked)
    if json:
        typer.echo(found.model_dump_json(indent=1))
        return
    _show(found, {version.version: ", ".join(version.aliases) for version in model_registry.versions()})


def _show(found: "Lineage", aliases: Aliases) -> None:
    from rich.console import Console

    from realframe.store.lineage import DatasetLineage, ModelLineage

    console = Console()
    if isinstance(found, ModelLineage):
        console.print(_of_model(found, aliases), soft_wrap=True)
    elif isinstance(found, DatasetLineage):
        console.print(_of_dataset(found, aliases), soft_wrap=True)
    else:
        console.print(_of_media(found, aliases), soft_wrap=True)


def _of_model(found: "ModelLineage", aliases: Aliases) -> "Tree":
    model, run = found.model, found.run
    tree = _tree(_version(model, aliases))
    branch = tree.add(f"run {model.run_id}" + (f" on {run.backbone}, weights {run.weights}, {run.seconds:.0f} s" if run else ""))
    branch = branch.add(f"commit {model.commit[:10]}" + (f" ({', '.join(run.branches)})" if run and run.branches else ""))
    branch = branch.add(_dataset(model.dataset, found.tags, found.taken_down))
    _add_counts(branch, found.counts)
    _add_items(branch.add(f"trained on {len(found.trained_on)} media items"), found.trained_on, found.taken_down)
    return tree


def _of_dataset(found: "DatasetLineage", aliases: Aliases) -> "Tree":
    dataset = found.dataset
    tree = _tree(_dataset(dataset.version, dataset.tags, found.taken_down))
    made = tree.add(f"commits: {', '.join(commit[:10] for commit in dataset.commits) or 'none'}")
    for run in found.runs:
        made.add(f"run {run.run_id}: recipe {run.recipe}")
    _add_models(tree, found.models, aliases)
    _add_counts(tree, dataset.counts)
    _add_items(tree.add(f"{len(found.items)} media items"), found.items, found.taken_down)
    return tree


def _of_media(found: "MediaLineage", aliases: Aliases) -> "Tree":
    tree = _tree(_item(found.media, []))
    if found.taken_down:
        request = found.taken_down
        tree.add(f"[red]taken down[/] {request.at} by {_plain(request.requested_by)}: {_plain(request.reason)}")
    for sighting in found.seen:
        branch = tree.add(f"{sighting.split} of {_dataset(sighting.dataset, sighting.tags, [])}")
        _add_models(branch, sighting.models, aliases)
    if not found.seen:
        tree.add("in no dataset version")
    return tree


def _add_models(tree: "Tree", models: "list[Model]", aliases: Aliases) -> None:
    for model in models:
        tree.add(f"{_version(model, aliases)}, commit {model.commit[:10]}, run {model.run_id}")
    if not models:
        tree.add("no model version came from it")


def _add_counts(tree: "Tree", counts: "Iterable[Count]") -> None:
    for split in _SPLITS:
        said = [f"{count.items} {count.label} {count.kind}s" for count in counts if count.split == split]
        tree.add(f"{split}: {', '.join(said) or 'none'}")


def _add_items(tree: "Tree", items: "list[Media]", taken_down: list[str]) -> None:
    for item in items[:_SHOWN]:
        tree.add(_item(item, taken_down))
    if len(items) > _SHOWN:
        tree.add(f"... and {len(items) - _SHOWN} more: --json lists all")


def _version(model: "Model", aliases: Aliases) -> str:
    alias = f" [bold]{aliases[model.version]}[/]" if aliases.get(model.version) else ""
    return f"version {model.version}{alias}: recipe {model.recipe}"


def _dataset(version: str, tags: tuple[str, ...], taken_down: list[str]) -> str:
    gone = f" [red]({len(taken_down)} of its items were taken down)[/]" if taken_down else ""
    return " ".join(("dataset", version, *tags)) + gone


def _item(item: "Media", taken_down: list[str]) -> str:
    return f"{item.media_id[:12]} {item.label:4} {item.kind:5} {_plain(item.path)}" + (
        " [red]taken down[/]" if item.media_id in taken_down else ""
    )


def _tree(label: str) -> "Tree":
    from rich.tree import Tree

    return Tree(label, highlight=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if TYPE_CHECKING:
    from rich.console import Console

    from realframe.store.takedown import AffectedBy


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

        realframe takedown 3f9a1c -m "the person in it asked us to"

        realframe takedown holiday.mp4 --reason "licence withdrawn" --yes
    """
    from rich.console import Console

    from realframe.settings import get_settings
    from realframe.store import takedown as request
    from realframe.store.repository import open_store

    settings, console = get_settings(), Console(soft_wrap=True, highlight=False)
    with open_store(settings) as store:
        touched = request.affected_by(store, settings.root, item)
        _show_takedown(touched, console)
        if not yes:
            typer.confirm("Take it down?", abort=True)
        made = request.record(store, touched, reason, by or getpass.getuser())
        gone = request.delete_files(store, settings, touched.media_id)
    for file in gone:
        console.print(f"deleted {file.relative_to(settings.root) if file.is_relative_to(settings.root) else file}", markup=False)
    console.print(f"recorded: {made.requested_by}, {made.at}: {made.reason}", markup=False)
    console.print("Next: realframe run prepare_data makes a dataset version without it.")


def _show_takedown(touched: "AffectedBy", console: "Console") -> None:
    from realframe.registry import model_registry

    console.print(f"media item {touched.media_id}")
    if touched.known is None:
        console.print("No dataset version has held it.")
        return
    aliases = {version.version: version.aliases for version in model_registry.versions()}
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
