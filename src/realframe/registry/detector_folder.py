"""Read a detector from a folder, that of a run or an exported one, and write the exported folder. Needs no model registry.

What decides the answers of a detector is its bundle: the Keras file, the training reference, and the facts ``params``, ``aggregate``,
``threshold``, ``temperature`` and ``band``, with one digest over all of it. An exported folder holds the files of the bundle, and
``detector.json`` with the facts, the digest, the version and the SHA-256 of each file.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realframe import artifacts, config
from realframe.errors import RegistryError
from realframe.files import compute_sha256, write_text

FACTS = ("params", "aggregate", "threshold", "temperature", "band")
BUNDLE_FILES = {
    "data/model.keras": artifacts.MODEL,
    "reference/training_reference.parquet": artifacts.TRAINING_REFERENCE,
    "reference/splits.parquet": artifacts.SPLITS,
}
"""Path in the folder of the logged model -> path in the folder of a run. The reference is optional, the Keras file is not."""
MODEL_NAME, REFERENCE_NAME, SPLITS_NAME = BUNDLE_FILES
DESCRIPTION = "detector.json"
"""The file that makes a folder an exported one."""
_EXPORT_AGAIN = "Export the version again: `realframe export VERSION --format keras`."


@dataclass(frozen=True)
class AnswerBundle:
    """What decides the answers of a model.

    Attributes:
        model: the Keras file.
        reference: the training reference; the file may not exist.
        splits: the split table that belongs to it; the file may not exist.
        facts: the values of ``FACTS``, as they were evaluated.
        files: the SHA-256 of each file that exists, by its path in the folder of the logged model.
        digest: over the files and the facts.
        version: the number of the version; empty for the folder of a run.
    """

    model: Path
    reference: Path
    splits: Path
    facts: dict[str, Any]
    files: dict[str, str]
    digest: str
    version: str = ""


def is_folder(model_ref: str) -> bool:
    """Return whether a model is named by its folder, and not by the number or alias of a version."""
    return not model_ref.isdecimal() and Path(model_ref).is_dir()


def read_folder(folder: Path) -> AnswerBundle:
    """Return the bundle in a folder: an exported one, or that of a run. Raises RegistryError if it holds none, or a changed one."""
    return _read_exported(folder) if (folder / DESCRIPTION).exists() else read_run_folder(folder)


def read_run_folder(folder: Path) -> AnswerBundle:
    """Return the bundle of the evaluated model in the folder of a run. Raises RegistryError if there is none."""
    required = [folder / path for path in (artifacts.MODEL, artifacts.METRICS, artifacts.RESOLVED_PARAMS)]
    if missing := [file for file in required if not file.exists()]:
        reason = "does not exist, so the folder holds neither an evaluated model nor an exported detector"
        raise RegistryError(missing[0], reason, "Run `realframe run train_model`, or name a folder that `realframe export` wrote.")
    metrics = json.loads((folder / artifacts.METRICS).read_text())
    params = config.load_params(folder / artifacts.RESOLVED_PARAMS).model_dump(mode="json", exclude_none=True)
    del params["limits"]  # what a file may cost is a matter of the machine, and decides no answer
    facts = select_facts(metrics | {"params": params})
    files = {name: compute_sha256(file) for name, file in find_run_files(folder).items()}
    paths = [folder / path for path in (artifacts.MODEL, artifacts.TRAINING_REFERENCE, artifacts.SPLITS)]
    return AnswerBundle(paths[0], paths[1], paths[2], facts, files, compute_digest(facts, files))


def find_run_files(folder: Path) -> dict[str, Path]:
    """Return the bundle's files in the folder of a run, by their path in the folder of the logged model."""
    return {name: folder / path for name, path in BUNDLE_FILES.items() if (folder / path).exists()}


def write_folder(bundle: AnswerBundle, folder: Path) -> None:
    """Write a bundle to a folder that ``Detector.load`` takes; it is created where it is missing.

    The description is written last, so that a folder without it is not complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    for name, source in zip(BUNDLE_FILES, (bundle.model, bundle.reference, bundle.splits), strict=True):
        (folder / Path(name).name).unlink(missing_ok=True)
        if name in bundle.files:
            shutil.copyfile(source, folder / Path(name).name)
    content = {"version": bundle.version, "answer_digest": bundle.digest, "facts": bundle.facts, "files": bundle.files}
    write_text(folder / DESCRIPTION, json.dumps(content, indent=1, sort_keys=True) + "\n")


def compute_digest(facts: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """Return the digest of everything that decides an answer: facts, and the SHA-256 of each file."""
    content = json.dumps({"facts": select_facts(facts), "files": dict(files)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def select_facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are facts of a bundle."""
    return {name: values[name] for name in FACTS if name in values}


def _read_exported(folder: Path) -> AnswerBundle:
    try:
        content = json.loads((folder / DESCRIPTION).read_text())
        version, digest, facts, listed = (content[key] for key in ("version", "answer_digest", "facts", "files"))
        names = {name: folder / Path(name).name for name in BUNDLE_FILES if name in listed}
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(folder / DESCRIPTION, "cannot be read as the description of a detector", _EXPORT_AGAIN) from error
    if missing := [file for file in names.values() if not file.exists()]:
        raise RegistryError(missing[0], "is missing, so the exported detector is not complete", _EXPORT_AGAIN)
    files = {name: compute_sha256(file) for name, file in names.items()}
    if changed := [names[name] for name in files if files[name] != listed[name]]:
        raise RegistryError(changed[0], "was changed after it was exported: its SHA-256 differs from the exported one", _EXPORT_AGAIN)
    if compute_digest(facts, files) != digest or MODEL_NAME not in files:
        reason = "was changed after it was exported: parameters, decision rule or calibration differ from the exported ones"
        raise RegistryError(folder / DESCRIPTION, reason, _EXPORT_AGAIN)
    paths = [folder / Path(name).name for name in BUNDLE_FILES]
    return AnswerBundle(paths[0], paths[1], paths[2], select_facts(facts), files, digest, str(version))
