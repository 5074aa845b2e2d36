"""The one place where templates are found and figures are formatted for them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from bonafide.reporting import words


def environment(*, html: bool) -> Environment:
    """Return the templates of this package; ``html`` escapes what comes from outside, such as names of files."""
    made = Environment(
        loader=PackageLoader("bonafide.reporting"),
        autoescape=html,  # noqa: S701 - Markdown is read as text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {name: getattr(words, name) for name in ("figure", "between", "percent", "signed", "shown", "value_at", "worst_unseen")}
    return made
