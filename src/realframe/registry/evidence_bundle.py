"""Log and fetch the evidence bundle of a model version: the folder ``evidence`` of the MLflow run that holds the model.

A version has the digest of its evidence as a tag, and each decision in the ledger records it. Fetched evidence is verified against the
digest: evidence that was changed after the model was registered is refused.
"""

import tempfile
from pathlib import Path

import mlflow

from realframe import artifacts
from realframe.errors import RegistryError
from realframe.files import compute_sha256, link_or_copy, write_text
from realframe.registry import mlflow_runs
from realframe.registry.model_version import ModelVersion
from realframe.settings import get_settings

FOLDER = "evidence"
_CHECKSUMS = "SHA256SUMS"  # the format of `sha256sum --check`
_DIGEST_LENGTH = 12
_FILES = (
    artifacts.METRICS,
    artifacts.PREDICTIONS,
    artifacts.HELD_OUT,
    artifacts.ROBUSTNESS,
    artifacts.REGRESSION_SCORES,
    artifacts.TRAINING_REFERENCE,
    artifacts.REPORT,
    artifacts.MODEL_CARD,
    artifacts.CROISSANT,
    artifacts.RESOLVED_PARAMS,
    artifacts.SPLITS,
)


def log(folder: Path) -> str:
    """Log the evidence files that exist in a run's folder to the active MLflow run; return the digest of the bundle."""
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary)
        for path in _FILES:
            if (folder / path).exists():
                link_or_copy(folder / path, bundle / path.name)
        lines = [f"{compute_sha256(path)}  {path.name}" for path in sorted(bundle.iterdir())]
        write_text(bundle / _CHECKSUMS, "\n".join(lines) + "\n")
        mlflow.log_artifacts(str(bundle), FOLDER)
        return compute_sha256(bundle / _CHECKSUMS)[:_DIGEST_LENGTH]


def fetch(version: ModelVersion) -> Path:
    """Return a folder with the evidence files of a version, such as ``metrics.json``; it is downloaded once. Raises RegistryError."""
    if not version.evidence_digest:
        raise RegistryError(f"version {version.version}", "was registered without its evidence", _hint(version))
    folder = get_settings().cache_dir / FOLDER / f"{version.sha256[:_DIGEST_LENGTH]}-{version.evidence_digest}"
    if not folder.exists():
        _download(version, folder)
    return folder


def _download(version: ModelVersion, folder: Path) -> None:
    """Download the evidence, and move it to its folder only if it is the evidence that was registered."""
    mlflow_runs.connect()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as temporary:
        mlflow.artifacts.download_artifacts(run_id=version.mlflow_run_id, artifact_path=FOLDER, dst_path=temporary)
        download = Path(temporary) / FOLDER
        if not _verify(download, version.evidence_digest):
            reason = "its evidence files in MLflow differ from the registered digest"
            raise RegistryError(f"version {version.version}", reason, _hint(version))
        if not folder.exists():
            download.rename(folder)


def _hint(version: ModelVersion) -> str:
    return f"Evaluate it again: `realframe evaluate {version.version}`."


def _verify(folder: Path, digest: str) -> bool:
    """Return whether each file is the one that was logged last; delete the files of earlier evaluations."""
    checksums = folder / _CHECKSUMS
    if not checksums.exists() or compute_sha256(checksums)[:_DIGEST_LENGTH] != digest:
        return False
    listed = {name: sha256 for sha256, name in (line.split("  ", 1) for line in checksums.read_text().splitlines())}
    for path in folder.iterdir():
        if path.name not in {*listed, _CHECKSUMS}:
            path.unlink()
    return all((folder / name).exists() and compute_sha256(folder / name) == sha256 for name, sha256 in listed.items())
