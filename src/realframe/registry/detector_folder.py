"""Read a detector from a folder, that of a run or an exported one, and write the exported folder. Needs no model registry.

What decides the answers of a detector is its bundle: the Keras file, and the facts ``params``, ``aggregate``, ``threshold`` and
``verdict``, with one digest over all of it. An exported folder holds the Keras file, and ``detector.json`` with the facts, the digest, the
version and the SHA-256 of the file. Kinds that a reviewer decided to judge stand in the ledger and are not exported.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realframe import artifacts, config
from realframe.errors import RegistryError
from realframe.files import compute_sha256, write_text

FACTS = ("params", "aggregate", "threshold", "verdict")
MODEL_NAME = "data/model.keras"
"""Path of the Keras file in the folder of the logged model."""
DESCRIPTION = "detector.json"
"""The file that makes a folder an exported one."""
_EXPORT_AGAIN = "Export the version again: `realframe export VERSION --format keras`."


@dataclass(frozen=True)
class AnswerBundle:
    """What decides the answers of a model.

    Attributes:
        model: the Keras file.
        facts: the values of ``FACTS``, as they were evaluated.
        files: the SHA-256 of the Keras file, by its path in the folder of the logged model.
        digest: over the files and the facts.
        version: the number of the version; empty for the folder of a run.
        judged_kinds: the kinds that a reviewer decided to judge without a proof of competence, with the reason.
    """

    model: Path
    facts: dict[str, Any]
    files: dict[str, str]
    digest: str
    version: str = ""
    judged_kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def answer_key(self) -> str:
        """What identifies the answers: those from before a decision to judge a kind have another key."""
        return make_answer_key(self.digest, self.judged_kinds)


def make_answer_key(digest: str, judged_kinds: Mapping[str, str]) -> str:
    """Return the digest of a bundle or, where a reviewer decided to judge kinds, a digest over both."""
    if not judged_kinds:
        return digest
    return hashlib.sha256(json.dumps([digest, dict(judged_kinds)], sort_keys=True).encode()).hexdigest()


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
    files = {MODEL_NAME: compute_sha256(folder / artifacts.MODEL)}
    return AnswerBundle(folder / artifacts.MODEL, facts, files, compute_digest(facts, files))


def write_folder(bundle: AnswerBundle, folder: Path) -> None:
    """Write a bundle to a folder that ``Detector.load`` takes; it is created where it is missing.

    The description is written last, so that a folder without it is not complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    (folder / Path(MODEL_NAME).name).unlink(missing_ok=True)
    shutil.copyfile(bundle.model, folder / Path(MODEL_NAME).name)
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
    model = folder / Path(MODEL_NAME).name
    try:
        content = json.loads((folder / DESCRIPTION).read_text())
        version, digest, facts, listed = (content[key] for key in ("version", "answer_digest", "facts", "files"))
        expected = listed[MODEL_NAME]
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(folder / DESCRIPTION, "cannot be read as the description of a detector", _EXPORT_AGAIN) from error
    if not model.exists():
        raise RegistryError(model, "is missing, so the exported detector is not complete", _EXPORT_AGAIN)
    files = {MODEL_NAME: compute_sha256(model)}
    if files[MODEL_NAME] != expected:
        raise RegistryError(model, "was changed after it was exported: its SHA-256 differs from the exported one", _EXPORT_AGAIN)
    if compute_digest(facts, files) != digest:
        reason = "was changed after it was exported: parameters, decision rule or calibration differ from the exported ones"
        raise RegistryError(folder / DESCRIPTION, reason, _EXPORT_AGAIN)
    return AnswerBundle(model, select_facts(facts), files, digest, str(version))
