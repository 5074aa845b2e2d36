"""Read YAML mappings, merge them, and convert between nested mappings and dotted keys."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.reader import ReaderError

from realframe.errors import ParamsError

# An overlay replaces these as a whole: a sampling has exactly one of three rules, and a search space is not extended.
_REPLACED_WHOLE = ("sampling", "space")
_MAX_DEPTH = 50  # the parser's time grows with the square of the depth
_MAX_LENGTH = 1_000_000


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a file that holds a YAML mapping. Raises ParamsError."""
    hint = f"Correct the file, or restore it: `git checkout -- {path}`."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ParamsError(path, f"cannot be read: {error.strerror or error}", hint) from error
    return parse_yaml_mapping(data, path, hint)


def parse_yaml_mapping(data: bytes | str, subject: object, hint: str) -> dict[str, Any]:
    """Parse a YAML mapping whose keys are texts; an empty document gives an empty one. Raises ParamsError, as :func:`parse_yaml`."""
    values = parse_yaml(data, subject, hint)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ParamsError(subject, "is not a mapping of keys to values", "Write one `key: value` per line.")
    for mapping in _iter_mappings(values):
        if others := [key for key in mapping if not isinstance(key, str)]:
            raise ParamsError(subject, f"has the key {others[0]!r}, which is not a text", hint)
    return values


def parse_yaml(data: bytes | str, subject: object, hint: str) -> Any:
    """Parse one YAML document and return its value.

    Aliases (``*name``) are refused: a document of a few hundred bytes can repeat itself through them until it fills the memory.

    Args:
        data: the document; bytes are UTF-8.
        subject: what it is, in messages: a path or an option.
        hint: what to do where it is malformed.

    Raises:
        ParamsError: it is malformed; the message names the line and the column.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        _check_events(text, subject, hint)
        return YAML(typ="safe", pure=True).load(text)
    except ParamsError:
        raise
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ParamsError(subject, f"is not UTF-8 text: line {line}, column {column}", "Save the file as UTF-8.") from error
    except YAMLError as error:
        raise ParamsError(subject, f"cannot be read as YAML: {_describe_fault(error, text)}", hint) from error
    except Exception as error:  # whatever the conversion of a value raises, such as ValueError for the date 2026-99-99
        raise ParamsError(subject, f"cannot be read as YAML: a value does not fit its type: {error}", hint) from error


def _check_events(text: str, subject: object, hint: str) -> None:
    """Refuse what costs much more than its length, before any value is built. Raises ParamsError and YAMLError."""
    if len(text) > _MAX_LENGTH:
        raise ParamsError(subject, f"has {len(text):,} characters of YAML; at most {_MAX_LENGTH:,} are read", hint)
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ParamsError(subject, f"is nested more than {_MAX_DEPTH} levels deep{_format_position(event.start_mark)}", hint)
        if isinstance(event, AliasEvent):
            reason = f"repeats a value through an alias (*{event.anchor}){_format_position(event.start_mark)}, which is not supported"
            raise ParamsError(subject, reason, "Write the value out at each place.")


def _describe_fault(error: YAMLError, text: str) -> str:
    """Return the fault in one line, with its position: ruamel's own message has several lines and names the file again."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return f"character U+{ord(text[error.position]):04X} is not allowed (line {line}, column {column})"
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    first_line = str(problem or error).strip().splitlines()[0]
    return f"{first_line}{_format_position(mark)}"


def _format_position(mark: Any) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _iter_mappings(value: object) -> Iterator[Mapping[Any, Any]]:
    """Yield a value and the mappings and lists in it, those that are mappings."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, Mapping):
            yield current
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)


def get_mapping(values: Mapping[str, Any], key: str, source: object) -> dict[str, Any]:
    """Return the mapping at a key of a file; empty where there is none. Raises ParamsError where it is something else."""
    value = values.get(key) or {}
    if not isinstance(value, Mapping):
        raise ParamsError(f"{source}: {key}", "is not a mapping of keys to values", "Write one `key: value` per line, or `{}`.")
    return dict(value)


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
