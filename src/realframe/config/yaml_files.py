"""Nested mappings of YAML files and their dotted keys."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from realframe.errors import ParamsError

_WHOLE = ("sampling", "space")  # an overlay of these replaces: one of three rules, not their sum; what is searched, not more of it


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ParamsError."""
    try:
        values = YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        raise ParamsError(path, f"can't be read as YAML: {error}") from error
    if not isinstance(values or {}, dict):
        raise ParamsError(path, "is not a mapping of keys to values")
    return values or {}


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is no mapping, with its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay ``overlay`` over ``base``, mapping by mapping."""
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        merge = isinstance(value, Mapping) and isinstance(below, Mapping) and key not in _WHOLE
        result[key] = merged(below, value) if merge else value  # type: ignore[arg-type]
    return result


def nested(dotted: str, value: object) -> dict[str, Any]:
    """Return the nested mapping that holds ``value`` under a dotted key."""
    *parents, last = dotted.split(".")
    nested: dict[str, Any] = {last: value}
    for parent in reversed(parents):
        nested = {parent: nested}
    return nested
