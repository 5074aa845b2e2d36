"""Writes docs/example-report.html and, beside it, the scores from which a test computes every figure anew.

``make example`` runs it on the field data: the schedule of the default recipe on EfficientNetV2B0, on the data as harmonization leaves them,
unseen generators and robustness included. The pictures and names of the media stay out: most of the files state no licence.
"""

import json
from pathlib import Path
from typing import TypeVar

import pandas as pd

from bench.sandbox import Field, field_data
from realframe import artifacts
from realframe.config import loads
from realframe.files import atomic_path, write_text
from realframe.runs.git_dvc import git
from realframe.settings import get_settings
from realframe.store.run_artifacts import RevisionSource

Found = TypeVar("Found")
PAGE = Path("docs/example-report.html")
BESIDE = Path("docs/example-report")
PICTURES = Path("docs/pictures")
# what the audit offers where the data as they are stop the run; `make harmonization` measures it beside other harmonization settings
HARMONIZED = {
    "harmonize.crop.image": "896",
    "harmonize.crop.video": "144",
    "harmonize.seconds": "1.8",
    "harmonize.fps": "6",
    "harmonize.reencode": "true",
}
TRAINED = {"recipe": "efficientnetv2b0", "evaluate.leave_one_generator_out": "true", "evaluate.show_media": "false"}
_TABLES = (artifacts.PREDICTIONS, artifacts.HELD_OUT, artifacts.ROBUSTNESS, artifacts.SPLITS, artifacts.QUALITY)
_PICTURES = ("unseen", "robustness", "verdicts")
_QUALITY = ["media_id", "kept", "brightness"]


def main() -> None:
    """Run the pipeline and copy what it left."""
    work = Field(get_settings(), field_data())
    work.prepare(HARMONIZED)
    branch = work.train({**HARMONIZED, **TRAINED})
    revision = RevisionSource(work.settings.root, git(work.settings.root, "rev-parse", branch))
    for path in _TABLES:
        _write(_left(revision.table(path), path), BESIDE / path.name)
    write_text(PAGE, _read(revision, artifacts.REPORT).decode())
    write_text(BESIDE / "metrics.json", _read(revision, artifacts.METRICS).decode())
    write_text(BESIDE / "card.md", _read(revision, artifacts.CARD).decode())
    write_text(BESIDE / "params.json", json.dumps(loads(_read(revision, artifacts.RESOLVED)).model_dump(mode="json"), indent=1) + "\n")
    for name in _PICTURES:
        with atomic_path(PICTURES / f"example-{name}.png") as temporary:
            temporary.write_bytes(_read(revision, artifacts.FIGURES / f"{name}.png"))
    print(f"wrote {PAGE} and {BESIDE}")


def _write(table: pd.DataFrame, target: Path) -> None:
    """Write a table without the names of files, and of the frames' quality what the slices need."""
    kept = table[_QUALITY] if target.stem == artifacts.QUALITY.stem else table.drop(columns="path", errors="ignore")
    with atomic_path(target) as temporary:
        kept.to_parquet(temporary, index=False, compression="zstd")


def _read(revision: RevisionSource, path: Path) -> bytes:
    return _left(revision.read(path), path)


def _left(found: Found | None, path: Path) -> Found:
    if found is None:
        raise SystemExit(f"the run did not leave {path}")
    return found


if __name__ == "__main__":
    main()
