"""Read YAML mappings, merge them, and convert between nested mappings and dotted keys."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from realframe.errors import ParamsError

# An overlay replaces these as a whole: a sampling has exactly one of three rules, and a search space is not extended.
_REPLACED_WHOLE = ("sampling", "space")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping. Raises ParamsError."""
    try:
        values = YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        hint = f"Correct the file, or restore it: `git checkout -- {path}`."
        raise ParamsError(path, f"cannot be read as YAML: {error}", hint) from error
    if not isinstance(values or {}, dict):
        raise ParamsError(path, "is not a mapping of keys to values", "Write one `key: value` per line.")
    return values or {}


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each entry that is not itself a filled mapping."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``overlay``, merged mapping by mapping."""
    result = dict(base)
    for key, value in overlay.items():
        old = result.get(key)
        is_merged = isinstance(value, Mapping) and isinstance(old, Mapping) and key not in _REPLACED_WHOLE
        result[key] = merge(old, value) if is_merged else value  # type: ignore[arg-type]
    return result


def nest(dotted_key: str, value: object) -> dict[str, Any]:
    """Return the nested mapping that holds ``value`` under a dotted key."""
    *parents, last = dotted_key.split(".")
    nested: dict[str, Any] = {last: value}
    for parent in reversed(parents):
        nested = {parent: nested}
    return nested
