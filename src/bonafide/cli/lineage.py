"""The command ``bonafide lineage``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.tree import Tree

    from bonafide.metadata.asked import Lineage
    from bonafide.metadata.lineage import DatasetLineage, MediaLineage, ModelLineage
    from bonafide.metadata.schema import Count, Media, Model

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

        bonafide lineage champion

        bonafide lineage 3

        bonafide lineage dataset/v2

        bonafide lineage holiday.mp4

        bonafide lineage 3f9a1c --json
    """
    from bonafide.metadata.asked import find
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings
    from bonafide.tracking import registry

    asked = str(registry.named(of).version) if of in _NAMES else of
    with open_store(get_settings()) as store:
        found = find(store, asked)
    if json:
        typer.echo(found.model_dump_json(indent=1))
        return
    _show(found, {version.version: ", ".join(version.aliases) for version in registry.versions()})


def _show(found: "Lineage", aliases: Aliases) -> None:
    from rich.console import Console

    from bonafide.metadata.lineage import DatasetLineage, ModelLineage

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
