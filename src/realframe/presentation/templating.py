"""Make the Jinja environment of a package's templates, with the shared drawings, formats and words of this package."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from realframe.presentation import formatting, metric_names, wording


def create_template_environment(package: str, *, html: bool = True) -> Environment:
    """Return the environment of the folder ``templates`` of a package; an undefined name in a template is an error.

    Args:
        package: such as ``realframe.web``.
        html: escape what comes from outside, such as file names; not in Markdown.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("realframe.presentation")]),
        autoescape=html,  # noqa: S701 - Markdown is read as text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= formatting.FILTERS
    environment.filters |= {
        "format_value": formatting.format_value,
        "get_metric": metric_names.get_metric,
        "worst_generator_index": metric_names.worst_generator_index,
    }
    environment.globals |= {
        "VERDICT_NAMES": wording.VERDICT_NAMES,
        "CAUTION_TITLES": wording.CAUTION_TITLES,
        "CREDENTIAL_STATES": wording.CREDENTIAL_STATES,
        "STEP_NAMES": wording.STEP_NAMES,
    }
    return environment
