"""Measure whether file facts alone tell the classes apart after harmonization; stop the run where they do."""

import json

import pandas as pd

from realframe import artifacts, config
from realframe.config import Params
from realframe.data import manifest, shortcut_audit
from realframe.data.shortcut_audit import AuditReport, audit_shortcuts, has_shortcut
from realframe.errors import ShortcutError
from realframe.files import write_text


def main() -> None:
    """Run the stage. Raises ShortcutError."""
    params = config.load_params(artifacts.RESOLVED_PARAMS)
    items = manifest.read(artifacts.HARMONIZED, manifest.MEDIA_SCHEMA)

    reports = audit_shortcuts(items, params.shortcuts.folds, params.seed)

    failed = {kind: report for kind, report in reports.items() if has_shortcut(report, params.shortcuts.limit)}
    result = {
        "kinds": reports,
        "limit": params.shortcuts.limit,
        "passed": not failed,
        "allowed": params.shortcuts.allow_shortcuts,
        "harmonize": params.harmonize.model_dump(mode="json"),
    }
    write_text(artifacts.SHORTCUTS, json.dumps(result, indent=2) + "\n")
    for kind, report in reports.items():
        print(f"audit_shortcuts: {kind}s: {_describe(report, params.shortcuts.limit)}")
    if failed and not params.shortcuts.allow_shortcuts:
        raise _shortcut_error(failed, items, params)
    if failed:
        print("audit_shortcuts: continues because of shortcuts.allow_shortcuts; it is recorded in every model trained on this dataset")


def _describe(report: AuditReport, limit: float) -> str:
    if "note" in report:
        return str(report["note"])
    value, low = report["balanced_accuracy"], report["low"]
    interval = "no interval: too few groups" if low is None else f"95 % interval {low:.2f} to {report['high']:.2f}"
    top = ", ".join(list(report["facts"])[:3])  # type: ignore[arg-type]
    text = f"file facts alone reach a balanced accuracy of {value:.2f} ({interval}; chance: 0.5), the most predictive are {top}"
    may_be_chance = isinstance(value, float) and value > limit and not has_shortcut(report, limit)
    return f"{text}; above the limit of {limit}, but with so few items this may be chance" if may_be_chance else text


def _shortcut_error(failed: dict[str, AuditReport], items: pd.DataFrame, params: Params) -> ShortcutError:
    """Return the error that names the revealing facts, and the harmonization settings against them as options to copy."""
    descriptions: list[str] = []
    settings: dict[str, str] = {}
    facts: list[str] = []
    for kind, report in failed.items():
        revealing = shortcut_audit.find_predictive_facts(report["facts"], params.shortcuts.limit)  # type: ignore[arg-type]
        figures = ", ".join(f"{name} {report['facts'][name]:.2f}" for name in revealing)  # type: ignore[index,call-overload]
        interval = f"95 % interval {report['low']:.2f} to {report['high']:.2f}"
        accuracy = f"a balanced accuracy of {report['balanced_accuracy']:.2f}"
        descriptions.append(f"the {kind}s with {accuracy} ({interval}; each fact alone: {figures})")
        settings |= shortcut_audit.suggest_settings(revealing, kind, items[items["kind"] == kind], params.harmonize)
        facts += revealing
    reason = f"file facts alone tell real from fake: {'; '.join(descriptions)}. The limit is {params.shortcuts.limit}"
    return ShortcutError(artifacts.HARMONIZED, reason, _make_hint(settings, shortcut_audit.suggest_match(facts, params.harmonize)))


def _make_hint(settings: dict[str, str], match: str) -> str:
    options = []
    if settings:
        options.append("Remove these facts: " + " ".join(f"-S {name}={value}" for name, value in settings.items()))
    if match:
        options.append(f"Leave items out until the classes match: -S 'harmonize.match={match}'")
    if not options:
        options.append(
            "Harmonization cannot remove more: the remaining differences are in the pictures themselves. "
            "Add media of both classes from the same cameras and encoders"
        )
    options.append("To continue anyway (the model is marked permanently): -S shortcuts.allow_shortcuts=true")
    return ". ".join(options)


if __name__ == "__main__":
    main()
