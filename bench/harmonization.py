"""Print the results of the shortcut audit on the field data after each harmonization, and the number of items left, as Markdown.

``make harmonization`` runs it. REALFRAME_FIELD_DATA names the folder of the data, which is not in this repository. Harmonized media are
stored in the state folder and reused by a second call.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.field_sandbox import field_data_folder
from realframe import artifacts
from realframe.config import resolve_params
from realframe.settings import Settings, get_settings

_CUT: dict[str, Any] = {"harmonize.crop.image": 896, "harmonize.crop.video": 144, "harmonize.seconds": 1.8}
_ENCODED: dict[str, Any] = {"harmonize.reencode": True, "harmonize.fps": 6}
_MATCHED: dict[str, Any] = {"harmonize.match": ["pixels", "duration_s"]}
CASES: dict[str, dict[str, Any]] = {
    "none": {},
    "match size and duration": _MATCHED,
    "re-encode": {"harmonize.reencode": True},
    "re-encode at one frame rate": _ENCODED,
    "crop and cut, lossless": _CUT,
    "match, re-encode at one frame rate": {**_MATCHED, **_ENCODED},
    "crop, cut, re-encode at one frame rate": {**_CUT, **_ENCODED},
    "the same at crf 35 and JPEG quality 50": {**_CUT, **_ENCODED, "harmonize.crf": 35, "harmonize.jpeg_quality": 50},
}
_SEEDS = (42, 43, 44)


def main() -> None:
    """Audit the field data after each harmonization and print the table."""
    data = field_data_folder()
    settings = get_settings()
    folder = settings.state_dir / "harmonization settings"
    (folder / artifacts.RAW_MEDIA.parent).mkdir(parents=True, exist_ok=True)
    (folder / artifacts.RAW_MEDIA).unlink(missing_ok=True)
    (folder / artifacts.RAW_MEDIA).symlink_to(data, target_is_directory=True)
    print("| harmonization | images | file facts alone | strongest file facts | videos | file facts alone | strongest file facts |")
    print("| --- " * 7 + "|")
    for title, overrides in CASES.items():
        audits = [_audit(overrides, seed, folder, settings) for seed in _SEEDS]
        print(f"| {title} | {' | '.join(_cells([audit['kinds'][kind] for audit in audits]) for kind in ('image', 'video'))} |", flush=True)


def _audit(overrides: dict[str, Any], seed: int, folder: Path, settings: Settings) -> dict[str, Any]:
    """Run the stages up to the audit in ``folder`` and return the audit."""
    allowed = {**overrides, "seed": seed, "shortcuts.allow_shortcuts": True}
    (folder / artifacts.RESOLVED_PARAMS).parent.mkdir(exist_ok=True)
    resolve_params(settings.root / artifacts.PARAMS, settings.root / artifacts.RECIPES, overrides=allowed).save(
        folder / artifacts.RESOLVED_PARAMS
    )
    variables = {"REALFRAME_HOME": str(folder / ".realframe"), "PYTHONPATH": str(settings.root)}
    for stage in ("catalog", "harmonize_media", "audit_shortcuts"):
        command = [sys.executable, "-m", f"pipelines.{stage}"]
        subprocess.run(command, cwd=folder, env=os.environ | variables, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    audit: dict[str, Any] = json.loads((folder / artifacts.SHORTCUTS).read_text())
    return audit


def _cells(audits: list[dict[str, Any]]) -> str:
    """Return three table cells of one kind: items, balanced accuracy of the first seed (then of the others), and the top file facts."""
    first = audits[0]
    items = f"{first['real']} real, {first['fake']} fake"
    if "note" in first:
        return f"{items} | {first['note']} | "
    others = ", ".join(f"{audit['balanced_accuracy']:.2f}" for audit in audits[1:])
    figure = f"{first['balanced_accuracy']:.2f} ({first['low']:.2f} to {first['high']:.2f}; other seeds {others})"
    return f"{items} | {figure} | {', '.join(f'{name} {value:.2f}' for name, value in list(first['facts'].items())[:3])}"


if __name__ == "__main__":
    main()
