"""The commands ``realframe lineage`` and ``realframe takedown``: what was made from what, and the removal of a media item."""

import getpass
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

    from realframe.store.index_documents import Media, Model, SplitCount
    from realframe.store.lineage import DatasetLineage, Lineage, MediaLineage, ModelLineage
    from realframe.store.takedown import AffectedVersions

_LISTED_ITEMS = 10
_SPLITS = ("train", "val", "test")
_ALIASES = ("champion", "challenger")

Aliases = dict[int, str]
"""Of each version its aliases, separated by commas."""


def lineage(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="a model version, `champion` or `challenger`; a dataset version; a file; or the first hex digits of a media id, a "
            "dataset, a commit or an MLflow run",
            show_default=False,
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="print all of it as JSON")] = False,
) -> None:
    """Show what a model version was made from: its run, commit, dataset version and media. Or what was made from a dataset or a file.

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

    key = str(model_registry.resolve_version(subject).version) if subject in _ALIASES else subject
    with open_store(get_settings()) as store:
        result = find_lineage(store, key)
    if json:
        typer.echo(result.model_dump_json(indent=1))
        return
    _print_lineage(result, {version.version: ", ".join(version.aliases) for version in model_registry.list_versions()})


def _print_lineage(lineage: "Lineage", aliases: Aliases) -> None:
    from rich.console import Console

    from realframe.store.lineage import DatasetLineage, ModelLineage

    console = Console()
    if isinstance(lineage, ModelLineage):
        console.print(_model_tree(lineage, aliases), soft_wrap=True)
    elif isinstance(lineage, DatasetLineage):
        console.print(_dataset_tree(lineage, aliases), soft_wrap=True)
    else:
        console.print(_media_tree(lineage, aliases), soft_wrap=True)


def _model_tree(lineage: "ModelLineage", aliases: Aliases) -> "Tree":
    model, run = lineage.model, lineage.run
    tree = _tree(_version_label(model, aliases))
    branch = tree.add(f"run {model.run_id}" + (f" on {run.backbone}, weights {run.weights}, {run.seconds:.0f} s" if run else ""))
    branch = branch.add(f"commit {model.commit[:10]}" + (f" ({', '.join(run.branches)})" if run and run.branches else ""))
    branch = branch.add(_dataset_label(model.dataset, lineage.tags, lineage.taken_down))
    _add_counts(branch, lineage.counts)
    _add_items(branch.add(f"trained on {len(lineage.trained_on)} media items"), lineage.trained_on, lineage.taken_down)
    return tree


def _dataset_tree(lineage: "DatasetLineage", aliases: Aliases) -> "Tree":
    dataset = lineage.dataset
    tree = _tree(_dataset_label(dataset.version, dataset.tags, lineage.taken_down))
    commits = tree.add(f"commits: {', '.join(commit[:10] for commit in dataset.commits) or 'none'}")
    for run in lineage.runs:
        commits.add(f"run {run.run_id}: recipe {run.recipe}")
    _add_models(tree, lineage.models, aliases)
    _add_counts(tree, dataset.counts)
    _add_items(tree.add(f"{len(lineage.items)} media items"), lineage.items, lineage.taken_down)
    return tree


def _media_tree(lineage: "MediaLineage", aliases: Aliases) -> "Tree":
    tree = _tree(_item_label(lineage.media, []))
    if lineage.taken_down:
        request = lineage.taken_down
        tree.add(f"[red]taken down[/] {request.created} by {_escape(request.requested_by)}: {_escape(request.reason)}")
    for use in lineage.uses:
        branch = tree.add(f"{use.split} of {_dataset_label(use.dataset, use.tags, [])}")
        _add_models(branch, use.models, aliases)
    if not lineage.uses:
        tree.add("in no dataset version")
    return tree


def _add_models(tree: "Tree", models: "list[Model]", aliases: Aliases) -> None:
    for model in models:
        tree.add(f"{_version_label(model, aliases)}, commit {model.commit[:10]}, run {model.run_id}")
    if not models:
        tree.add("no model version was trained on it")


def _add_counts(tree: "Tree", counts: "Iterable[SplitCount]") -> None:
    for split in _SPLITS:
        parts = [f"{count.items} {count.label} {count.kind}s" for count in counts if count.split == split]
        tree.add(f"{split}: {', '.join(parts) or 'none'}")


def _add_items(tree: "Tree", items: "list[Media]", taken_down: list[str]) -> None:
    for item in items[:_LISTED_ITEMS]:
        tree.add(_item_label(item, taken_down))
    if len(items) > _LISTED_ITEMS:
        tree.add(f"... and {len(items) - _LISTED_ITEMS} more; --json lists all")


def _version_label(model: "Model", aliases: Aliases) -> str:
    alias = f" [bold]{aliases[model.version]}[/]" if aliases.get(model.version) else ""
    return f"version {model.version}{alias}: recipe {model.recipe}"


def _dataset_label(version: str, tags: tuple[str, ...], taken_down: list[str]) -> str:
    note = f" [red]({len(taken_down)} of its items were taken down)[/]" if taken_down else ""
    return " ".join(("dataset", version, *tags)) + note


def _item_label(item: "Media", taken_down: list[str]) -> str:
    return f"{item.media_id[:12]} {item.label:4} {item.kind:5} {_escape(item.path)}" + (
        " [red]taken down[/]" if item.media_id in taken_down else ""
    )


def _tree(label: str) -> "Tree":
    from rich.tree import Tree

    return Tree(label, highlight=False)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def takedown(
    item: Annotated[str, typer.Argument(metavar="MEDIA_ID|FILE", help="a file, or the first hex digits of a media id", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", "-m", help="why it must not be used; stored with the request", show_default=False)],
    user: Annotated[str, typer.Option(help="who requests it; default: your login name", show_default=False)] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask for confirmation")] = False,
) -> None:
    """Take down a media item: list the dataset and model versions that contain it, delete its files, and exclude it from now on.

    The request is recorded. The next dataset version does not contain the item, and ingest refuses files with the same content. Model
    versions that were trained on it do not change: train a new one. Older dataset versions still have its files in the DVC cache;
    docs/loop.md describes how to purge them.

    Examples:

        realframe takedown 3f9a1c -m "the person in it asked us to"

        realframe takedown holiday.mp4 --reason "license withdrawn" --yes
    """
    from rich.console import Console

    from realframe.settings import get_settings
    from realframe.store import takedown as takedowns
    from realframe.store.repository import open_store

    settings, console = get_settings(), Console(soft_wrap=True, highlight=False)
    with open_store(settings) as store:
        affected = takedowns.find_affected_versions(store, settings.root, item)
        _print_affected(affected, console)
        if not yes:
            typer.confirm("Take it down?", abort=True)
        recorded = takedowns.record_takedown(store, affected, reason, user or getpass.getuser())
        deleted = takedowns.delete_item(store, settings, affected.media_id)
    for file in deleted:
        console.print(f"deleted {file.relative_to(settings.root) if file.is_relative_to(settings.root) else file}", markup=False)
    console.print(
        f"Takedown recorded for {affected.media_id} by {recorded.requested_by}, {recorded.created}: {recorded.reason}", markup=False
    )
    console.print("Next: `realframe run prepare_data` makes a dataset version without it.")


def _print_affected(affected: "AffectedVersions", console: "Console") -> None:
    from realframe.registry import model_registry

    console.print(f"media item {affected.media_id}")
    if affected.lineage is None:
        console.print("No dataset version contains it.")
        return
    aliases = {version.version: version.aliases for version in model_registry.list_versions()}
    console.print(affected.lineage.media.path, markup=False)
    for use in affected.lineage.uses:
        models = [" ".join((str(model.version), *aliases.get(model.version, ()))) for model in use.models]
        dataset = " ".join(("dataset", use.dataset, *use.tags))
        console.print(f"  {use.split} of {dataset}; model versions: {', '.join(models) or 'none'}")
    if any("champion" in aliases.get(version, ()) for version in affected.models):
        console.print("[bold red]The champion is among them.[/]")
    if affected.related_paths:
        console.print(
            f"{len(affected.related_paths)} items of the same group or near-duplicates are not taken down. Check whether they should be:"
        )
        for path in affected.related_paths[:_LISTED_ITEMS]:
            console.print(f"  {path}", markup=False)
        if len(affected.related_paths) > _LISTED_ITEMS:
            console.print(f"  ... and {len(affected.related_paths) - _LISTED_ITEMS} more")
