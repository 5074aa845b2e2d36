"""Write docs/example-report.html and the scores from which a test recomputes every metric of it.

``make example`` runs it on the harmonized field data: the schedule of the default recipe on EfficientNetV2B0, with unseen generators and
robustness. Pictures and names of the media are left out, because most of the files state no license.
"""

import json
from pathlib import Path
from typing import TypeVar

import pandas as pd

from bench.field_sandbox import FieldSandbox, field_data_folder
from realframe import artifacts
from realframe.config import parse_params
from realframe.files import atomic_path, write_text
from realframe.runs.git_dvc import git
from realframe.settings import get_settings
from realframe.store.run_artifacts import RevisionSource

Content = TypeVar("Content")
PAGE = Path("docs/example-report.html")
TARGET = Path("docs/example-report")
PICTURES = Path("docs/pictures")
# what the shortcut audit proposes if it stops a run on the original data; `make harmonization` compares it with other settings
HARMONIZATION = {
    "harmonize.crop.image": "896",
    "harmonize.crop.video": "144",
    "harmonize.seconds": "1.8",
    "harmonize.fps": "6",
    "harmonize.reencode": "true",
}
TRAINING = {"recipe": "efficientnetv2b0", "evaluate.leave_one_generator_out": "true", "evaluate.show_media": "false"}
_TABLES = (artifacts.PREDICTIONS, artifacts.HELD_OUT, artifacts.CROSS_SOURCE, artifacts.ROBUSTNESS, artifacts.SPLITS, artifacts.QUALITY)
_PICTURES = ("unseen", "robustness", "verdicts")
_QUALITY = ["media_id", "is_kept", "brightness"]


def main() -> None:
    """Run the pipeline and copy its outputs."""
    sandbox = FieldSandbox("example", get_settings(), field_data_folder())
    sandbox.prepare(HARMONIZATION)
    branch = sandbox.train({**HARMONIZATION, **TRAINING})
    revision = RevisionSource(sandbox.settings.root, git(sandbox.settings.root, "rev-parse", branch))
    for path in _TABLES:
        _write(_require(revision.read_table(path), path), TARGET / path.name)
    write_text(PAGE, _read(revision, artifacts.REPORT).decode())
    write_text(TARGET / "metrics.json", _read(revision, artifacts.METRICS).decode())
    write_text(TARGET / "card.md", _read(revision, artifacts.MODEL_CARD).decode())
    params = parse_params(_read(revision, artifacts.RESOLVED_PARAMS))
    write_text(TARGET / "params.json", json.dumps(params.model_dump(mode="json"), indent=1) + "\n")
    for name in _PICTURES:
        with atomic_path(PICTURES / f"example-{name}.png") as temporary:
            temporary.write_bytes(_read(revision, artifacts.FIGURES / f"{name}.png"))
    print(f"wrote {PAGE} and {TARGET}")


def _write(table: pd.DataFrame, target: Path) -> None:
    """Write a table without file names; of the frame quality only the columns that the slices need."""
    columns = table[_QUALITY] if target.stem == artifacts.QUALITY.stem else table.drop(columns="path", errors="ignore")
    with atomic_path(target) as temporary:
        columns.to_parquet(temporary, index=False, compression="zstd")


def _read(revision: RevisionSource, path: Path) -> bytes:
    return _require(revision.read(path), path)


def _require(content: Content | None, path: Path) -> Content:
    if content is None:
        raise SystemExit(f"the run did not write {path}")
    return content


if __name__ == "__main__":
    main()
