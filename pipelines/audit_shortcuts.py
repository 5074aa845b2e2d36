"""Measure whether file facts alone tell the classes apart, on what harmonization left; stop the run where they do."""

import json

import pandas as pd

from realframe import artifacts, config
from realframe.config import Params
from realframe.data import manifest, shortcut_audit
from realframe.data.shortcut_audit import Report, audit_shortcuts, leaks
from realframe.errors import ShortcutError
from realframe.files import write_text


def main() -> None:
    """Run the stage. Raises ShortcutError."""
    params = config.load(artifacts.RESOLVED)
    items = manifest.read(artifacts.HARMONIZED, manifest.MEDIA)

    kinds = audit_shortcuts(items, params.shortcuts.folds, params.seed)

    leaking = {kind: report for kind, report in kinds.items() if leaks(report, params.shortcuts.limit)}
    found = {
        "kinds": kinds,
        "limit": params.shortcuts.limit,
        "passed": not leaking,
        "allowed": params.shortcuts.allow_shortcuts,
        "harmonize": params.harmonize.model_dump(mode="json"),
    }
    write_text(artifacts.SHORTCUTS, json.dumps(found, indent=2) + "\n")
    for kind, report in kinds.items():
        print(f"audit_shortcuts: {kind}s: {_sentence(report, params.shortcuts.limit)}")
    if leaking and not params.shortcuts.allow_shortcuts:
        raise _refusal(leaking, items, params)
    if leaking:
        print("audit_shortcuts: goes on by shortcuts.allow_shortcuts; the mark stays on every model that is trained on this dataset")


def _sentence(report: Report, limit: float) -> str:
    if "note" in report:
        return str(report["note"])
    value, low = report["balanced_accuracy"], report["low"]
    between = "no interval: too few groups" if low is None else f"95 % interval {low:.2f} to {report['high']:.2f}"
    top = ", ".join(list(report["facts"])[:3])  # type: ignore[arg-type]
    said = f"file facts alone reach a balanced accuracy of {value:.2f} ({between}; chance: 0.5), the most telling are {top}"
    by_luck = isinstance(value, float) and value > limit and not leaks(report, limit)
    return f"{said}; above the limit of {limit}, but so few items may get there by luck" if by_luck else said


def _refusal(leaking: dict[str, Report], items: pd.DataFrame, params: Params) -> ShortcutError:
    """Return the error that names what leaks, and the harmonization settings as parameters to copy."""
    said: list[str] = []
    settings: dict[str, str] = {}
    facts: list[str] = []
    for kind, report in leaking.items():
        told = shortcut_audit.revealing_facts(report["facts"], params.shortcuts.limit)  # type: ignore[arg-type]
        figures = ", ".join(f"{name} {report['facts'][name]:.2f}" for name in told)  # type: ignore[index,call-overload]
        interval = f"95 % interval {report['low']:.2f} to {report['high']:.2f}"
        said.append(f"the {kind}s with a balanced accuracy of {report['balanced_accuracy']:.2f} ({interval}; each fact alone: {figures})")
        settings |= shortcut_audit.suggested_settings(told, kind, items[items["kind"] == kind], params.harmonize)
        facts += told
    reason = f"file facts alone tell real from fake: {'; '.join(said)}. The limit is {params.shortcuts.limit}"
    return ShortcutError(artifacts.HARMONIZED, reason, _ways_out(settings, shortcut_audit.suggested_match(facts, params.harmonize)))


def _ways_out(settings: dict[str, str], match: str) -> str:
    ways = []
    if settings:
        ways.append("Take them away: " + " ".join(f"-S {name}={value}" for name, value in settings.items()))
    if match:
        ways.append(f"Leave items out until the classes are alike: -S 'harmonize.match={match}'")
    if not ways:
        ways.append(
            "Harmonization takes nothing more away: what is left lies in the pictures themselves. Add media that differ in nothing else"
        )
    return ". ".join([*ways, "Go on all the same, with a mark that stays on the model: -S shortcuts.allow_shortcuts=true"])


if __name__ == "__main__":
    main()
