"""The command ``bonafide evaluate``."""

from typing import Annotated, Any

import typer

_Version = Annotated[str, typer.Argument(metavar="VERSION|ALIAS", help="a version's number, or an alias that points to it")]
_HeldOut = Annotated[
    bool | None,
    typer.Option(
        "--leave-one-generator-out/--no-leave-one-generator-out",
        help="train once more without each generator and test on it; by default as when the version was trained",
        show_default=False,
    ),
]


def evaluate(version: _Version = "challenger", leave_one_generator_out: _HeldOut = None) -> None:
    """Measure a registered version's evidence anew, by its own commit's code and on its own data; it is not trained again.

    What has not changed since is not measured again. The new figures and the new report replace those that stand on the version.

    Examples:

        bonafide evaluate

        bonafide evaluate 3 --leave-one-generator-out

        bonafide evaluate champion --no-leave-one-generator-out
    """
    import getpass

    from bonafide.runs.again import evaluate as evaluate_again
    from bonafide.runs.output import sieved_errors
    from bonafide.settings import get_settings
    from bonafide.tracking import registry

    chosen = registry.named(version)
    overrides = {} if leave_one_generator_out is None else {"evaluate.leave_one_generator_out": leave_one_generator_out}
    with sieved_errors():
        metrics = evaluate_again(chosen, get_settings(), overrides, getpass.getuser())
    for line in _said(chosen.version, metrics):
        typer.echo(line)


def _said(version: int, metrics: dict[str, Any]) -> list[str]:
    """Return what people read of the figures, the held-out one last."""
    from bonafide.tracking.registry import shown

    known = f"version {version}: ROC-AUC of test items {shown(metrics['test']['item']['roc_auc'])}"
    held_out = metrics["held_out"]
    if held_out is None:
        return [known, "not measured on unseen generators"]
    each = [f"  without {row['name']}: {shown(row['roc_auc'])}" for row in held_out["generators"]]
    return [known, *each, f"on unseen generators, their mean: {shown(held_out['macro'])}"]
