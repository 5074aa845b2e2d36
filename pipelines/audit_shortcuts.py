"""Measure whether file facts alone tell the classes apart."""

import json

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.dataset.shortcuts import Report, audit
from bonafide.files import write_text


def main() -> None:
    """Run the stage."""
    run = params.load(artefacts.RESOLVED)

    report = audit(manifest.read(artefacts.MEDIA, manifest.MEDIA), run.shortcuts.folds, run.seed)

    write_text(artefacts.SHORTCUTS, json.dumps(report, indent=2) + "\n")
    for kind, facts in report.items():
        print(f"audit_shortcuts: {kind}s: {_sentence(facts)}")


def _sentence(facts: Report) -> str:
    if "note" in facts:
        return str(facts["note"])
    top = ", ".join(list(facts["facts"])[:3])  # type: ignore[arg-type]
    return f"file facts alone reach a balanced accuracy of {facts['balanced_accuracy']} (chance: 0.5), the most telling are {top}"


if __name__ == "__main__":
    main()
