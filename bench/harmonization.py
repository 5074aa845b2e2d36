"""Prints, as Markdown, what file facts alone give away of the field data after each harmonization, and how many items each harmonization leaves.

``make harmonization`` runs it. The data are found by REALFRAME_FIELD_DATA, which is no part of this repository; what is harmonized lies in the state
folder, where a second call finds it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.sandbox import field_data
from realframe import artifacts
from realframe.config import resolve
from realframe.settings import Settings, get_settings

_CUT: dict[str, Any] = {"harmonize.crop.image": 896, "harmonize.crop.video": 144, "harmonize.seconds": 1.8}
_ENCODED: dict[str, Any] = {"harmonize.reencode": True, "harmonize.fps": 6}
_MATCHED: dict[str, Any] = {"harmonize.match": ["pixels", "duration_s"]}
CASES: dict[str, dict[str, Any]] = {
    "none": {},
    "match size and duration": _MATCHED,
    "encode anew": {"harmonize.reencode": True},
    "encode anew, at one rate": _ENCODED,
    "crop and cut, without loss": _CUT,
    "match, encode anew at one rate": {**_MATCHED, **_ENCODED},
    "crop, cut, encode anew at one rate": {**_CUT, **_ENCODED},
    "the same at crf 35 and JPEG quality 50": {**_CUT, **_ENCODED, "harmonize.crf": 35, "harmonize.jpeg_quality": 50},
}
_SEEDS = (42, 43, 44)


def main() -> None:
    """Audit the field data after each harmonization and print the table."""
    data = field_data()
    settings = get_settings()
    folder = settings.state / "harmonization settings"
    (folder / artifacts.RAW.parent).mkdir(parents=True, exist_ok=True)
    (folder / artifacts.RAW).unlink(missing_ok=True)
    (folder / artifacts.RAW).symlink_to(data, target_is_directory=True)
    print("| harmonization | images | file facts alone | most telling | videos | file facts alone | most telling |")
    print("| --- " * 7 + "|")
    for title, overrides in CASES.items():
        audits = [_audited(overrides, seed, folder, settings) for seed in _SEEDS]
        print(f"| {title} | {' | '.join(_cells([audit['kinds'][kind] for audit in audits]) for kind in ('image', 'video'))} |", flush=True)


def _audited(overrides: dict[str, Any], seed: int, folder: Path, settings: Settings) -> dict[str, Any]:
    """Run the stages up to the audit in ``folder`` and return what the audit wrote."""
    allowed = {**overrides, "seed": seed, "shortcuts.allow_shortcuts": True}
    (folder / artifacts.RESOLVED).parent.mkdir(exist_ok=True)
    resolve(settings.root / artifacts.PARAMS, settings.root / artifacts.RECIPES, overrides=allowed).save(folder / artifacts.RESOLVED)
    own = {"REALFRAME_HOME": str(folder / ".realframe"), "PYTHONPATH": str(settings.root)}
    for stage in ("catalog", "harmonize_media", "audit_shortcuts"):
        command = [sys.executable, "-m", f"pipelines.{stage}"]
        subprocess.run(command, cwd=folder, env=os.environ | own, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    audit: dict[str, Any] = json.loads((folder / artifacts.SHORTCUTS).read_text())
    return audit


def _cells(audits: list[dict[str, Any]]) -> str:
    """Return items, figure and facts of one kind; the figure is that of the first seed, the others' stand behind it."""
    first = audits[0]
    items = f"{first['real']} real, {first['fake']} fake"
    if "note" in first:
        return f"{items} | {first['note']} | "
    others = ", ".join(f"{audit['balanced_accuracy']:.2f}" for audit in audits[1:])
    figure = f"{first['balanced_accuracy']:.2f} ({first['low']:.2f} to {first['high']:.2f}; other seeds {others})"
    return f"{items} | {figure} | {', '.join(f'{name} {value:.2f}' for name, value in list(first['facts'].items())[:3])}"


if __name__ == "__main__":
    main()
