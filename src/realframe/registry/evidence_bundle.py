"""The evidence that goes with a version: the folder ``evidence`` of the MLflow run that holds its model.

A version carries the digest of its evidence as a tag, and so does each decision in the ledger. What is fetched is held against it:
evidence that was changed after the model was registered is refused.
"""

import tempfile
from pathlib import Path

import mlflow

from realframe import artifacts
from realframe.errors import RegistryError
from realframe.files import link_or_copy, sha256_of, write_text
from realframe.registry import mlflow_runs
from realframe.registry.model_version import ModelVersion
from realframe.settings import get_settings

FOLDER = "evidence"
_SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it
_DIGITS = 12
_KEPT = (
    artifacts.METRICS,
    artifacts.PREDICTIONS,
    artifacts.HELD_OUT,
    artifacts.ROBUSTNESS,
    artifacts.REGRESSION,
    artifacts.REFERENCE,
    artifacts.REPORT,
    artifacts.CARD,
    artifacts.CROISSANT,
    artifacts.RESOLVED,
    artifacts.SPLITS,
)


def log(folder: Path) -> str:
    """Log the evidence of a run's folder, as much of it as there is, into the active MLflow run; return its digest."""
    with tempfile.TemporaryDirectory() as temporary:
        gathered = Path(temporary)
        for path in _KEPT:
            if (folder / path).exists():
                link_or_copy(folder / path, gathered / path.name)
        lines = [f"{sha256_of(path)}  {path.name}" for path in sorted(gathered.iterdir())]
        write_text(gathered / _SUMS, "\n".join(lines) + "\n")
        mlflow.log_artifacts(str(gathered), FOLDER)
        return sha256_of(gathered / _SUMS)[:_DIGITS]


def fetch(version: ModelVersion) -> Path:
    """Return a folder with a version's evidence, each file by its own name, such as ``metrics.json``. Raises RegistryError."""
    if not version.evidence:
        hint = f"Evaluate it anew: `realframe evaluate {version.version}`."
        raise RegistryError(f"version {version.version}", "was registered without its evidence", hint)
    kept = get_settings().cache_dir / FOLDER / f"{version.sha256[:_DIGITS]}-{version.evidence}"
    if not kept.exists():
        _download(version, kept)
    return kept


def _download(version: ModelVersion, kept: Path) -> None:
    """Bring the files here, and put them in their place only if they are the ones that were registered."""
    mlflow_runs.connect()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetched-") as temporary:
        mlflow.artifacts.download_artifacts(run_id=version.mlflow_run, artifact_path=FOLDER, dst_path=temporary)
        fetched = Path(temporary) / FOLDER
        if not _is_whole(fetched, version.evidence):
            reason = "its evidence in MLflow is not what was registered with it"
            raise RegistryError(f"version {version.version}", reason, f"Evaluate it anew: `realframe evaluate {version.version}`.")
        if not kept.exists():
            fetched.rename(kept)


def _is_whole(folder: Path, digest: str) -> bool:
    """Say whether each file is the one that was logged last; one that an earlier evaluation left behind is taken out."""
    sums = folder / _SUMS
    if not sums.exists() or sha256_of(sums)[:_DIGITS] != digest:
        return False
    listed = {name: sha256 for sha256, name in (line.split("  ", 1) for line in sums.read_text().splitlines())}
    for path in folder.iterdir():
        if path.name not in {*listed, _SUMS}:
            path.unlink()
    return all((folder / name).exists() and sha256_of(folder / name) == sha256 for name, sha256 in listed.items())
