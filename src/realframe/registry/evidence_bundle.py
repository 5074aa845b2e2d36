"""Log and fetch the evidence bundle of a model version: the folder ``evidence`` of the MLflow run that holds the model.

A version has the digest of its evidence as a tag, and each decision in the ledger records it. Fetched evidence is verified against the
digest: evidence that was changed after the model was registered is refused.
"""

import shutil
import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from realframe import artifacts
from realframe.caching.eviction import record_use
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
    artifacts.CROSS_SOURCE,
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
    """Return a folder with the evidence files of a version, such as ``metrics.json``. Raises RegistryError.

    It is downloaded once, and compared with the registered digest each time.
    """
    if not version.evidence_digest:
        raise RegistryError(
            f"version {version.version}",
            "was registered without its evidence",
            f"Evaluate it again: `realframe evaluate {version.version}`.",
        )
    folder = get_settings().cache_dir / FOLDER / f"{version.sha256[:_DIGEST_LENGTH]}-{version.evidence_digest}"
    if folder.exists() and _find_fault(folder, version.evidence_digest):
        shutil.rmtree(folder)  # the copy was changed; the original is downloaded again
    if not folder.exists():
        _download(version, folder)
    record_use(folder)
    return folder


def _download(version: ModelVersion, folder: Path) -> None:
    """Download the evidence, and move it to its folder only if it is the evidence that was registered."""
    mlflow_runs.connect()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".download-") as temporary:
        download = Path(temporary) / FOLDER
        try:
            mlflow.artifacts.download_artifacts(run_id=version.mlflow_run_id, artifact_path=FOLDER, dst_path=temporary)
        except MlflowException as error:
            if download.exists() or not _is_missing(error):
                raise
        if fault := _find_fault(download, version.evidence_digest):
            raise RegistryError(f"version {version.version}", *_describe_fault(fault, version))
        if not folder.exists():
            download.rename(folder)


def _find_fault(folder: Path, digest: str) -> str:
    """Return the first file that is ``missing`` or was ``changed``; empty if all are those that were logged last.

    The files of earlier evaluations are deleted.
    """
    checksums = folder / _CHECKSUMS
    if not checksums.exists():
        return f"{_CHECKSUMS} is missing"
    if compute_sha256(checksums)[:_DIGEST_LENGTH] != digest:
        return f"{_CHECKSUMS} was changed"
    listed = {name: sha256 for sha256, name in (line.split("  ", 1) for line in checksums.read_text().splitlines())}
    for path in folder.iterdir():
        if path.name not in {*listed, _CHECKSUMS}:
            path.unlink()
    for name, sha256 in listed.items():
        if not (folder / name).exists():
            return f"{name} is missing"
        if compute_sha256(folder / name) != sha256:
            return f"{name} was changed"
    return ""


def _describe_fault(fault: str, version: ModelVersion) -> tuple[str, str]:
    """Return the reason and the hint for a missing file, which may have been moved, or for a changed one."""
    place = f"the folder {FOLDER} of MLflow run {version.mlflow_run_id}"
    if fault.endswith("missing"):
        hint = f"If the folder was moved, move it back; if it was deleted, restore it from a backup. {_evaluate_hint(version)}"
        return f"its evidence is not complete: {fault} in {place}", hint
    hint = f"Restore it from a backup. {_evaluate_hint(version)}"
    return f"its evidence differs from the registered digest: {fault} in {place}", hint


def _is_missing(error: MlflowException) -> bool:
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or "No such artifact" in str(error)


def _evaluate_hint(version: ModelVersion) -> str:
    return f"Or evaluate it again: `realframe evaluate {version.version}`."
