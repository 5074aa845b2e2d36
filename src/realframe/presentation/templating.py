"""Make the Jinja environment of a package's templates, with the shared drawings, formats and words of this package."""

from collections.abc import Mapping
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from realframe.markdown import escape_markdown, format_code_span
from realframe.presentation import formatting, wording


def create_template_environment(package: str, *, html: bool = True) -> Environment:
    """Return the environment of the folder ``templates`` of a package; an undefined name in a template is an error.

    Args:
        package: such as ``realframe.web``.
        html: the templates are HTML; else Markdown. In both, what comes from outside, such as file names, is escaped.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("realframe.presentation")]),
        autoescape=html,  # noqa: S701 - Markdown is escaped by ``finalize``
        finalize=None if html else _escape_value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= formatting.FILTERS
    environment.filters |= {
        "code_span": lambda value: Markup(format_code_span(value)),  # noqa: S704 - it marks a value that is Markdown already
        "format_value": formatting.format_value,
        "get_metric": get_metric,
        "describe_basis": wording.describe_basis,
        "probability_to_show": wording.probability_to_show,
        "summarize_basis": wording.summarize_basis,
        "worst_generator_index": worst_generator_index,
    }
    environment.globals |= {
        "VERDICT_NAMES": wording.VERDICT_NAMES,
        "CAUTION_TITLES": wording.CAUTION_TITLES,
        "CREDENTIAL_STATES": wording.CREDENTIAL_STATES,
        "STEP_NAMES": wording.STEP_NAMES,
        "SCOPE": wording.SCOPE,
        "RENDERED_MARK": wording.RENDERED_MARK,
    }
    return environment


def _escape_value(value: object) -> object:
    """Escape a value for Markdown, unless a filter has made it Markdown."""
    return escape_markdown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def get_metric(metrics: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, such as ``slices.codec.0.accuracy.value``. Raises KeyError."""
    value: Any = metrics
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def worst_generator_index(metrics: Mapping[str, Any]) -> int | None:
    """Return the index, among the generators that were left out of training, of the one with the lowest ROC-AUC; None if none has one."""
    areas = [row["roc_auc"]["value"] for row in metrics["held_out"]["generators"]]
    known = [index for index, area in enumerate(areas) if area is not None]
    return min(known, key=lambda index: areas[index], default=None)
