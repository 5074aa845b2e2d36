"""Load a trained model with what its evaluation found: from the model registry, from the folder of a run, or from an exported folder."""

from dataclasses import dataclass
from pathlib import Path

import keras
from pydantic import ValidationError

from realframe.config import Params, read_limits
from realframe.detection.confidence import VerdictRule
from realframe.errors import RegistryError, SetupError
from realframe.evaluation.network_scores import load_model
from realframe.models.aggregate import Aggregate
from realframe.registry import detector_folder
from realframe.registry.detector_folder import AnswerBundle
from realframe.settings import get_settings


@dataclass(frozen=True)
class LoadedModel:
    """A trained model and what its evaluation found.

    Attributes:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives the probability of ``fake``, (N, 1), or (1, 1) of a clip.
        params: the parameters of its training: how files become frames, and frames an item; with the limits of this machine.
        aggregate: how the scores of frames become the score of an item.
        rule: how the score of an item becomes a verdict, per kind.
        version: the number of the version, or the folder.
        answer_key: identifies everything that decides an answer (``AnswerBundle.answer_key``).
    """

    model: keras.Model
    params: Params
    aggregate: Aggregate
    rule: VerdictRule
    version: str
    answer_key: str


def load_detector_model(model_ref: str) -> LoadedModel:
    """Load a version by number or alias, or the model in a folder.

    Raises:
        RegistryError: there is no such version, no version is approved, or what decides its answers is missing or was changed.
        SetupError: a version is named, and the model registry is not installed.
    """
    if detector_folder.is_folder(model_ref):
        bundle = detector_folder.read_folder(Path(model_ref))
        return _load_bundle(bundle, bundle.version or model_ref)
    try:
        from realframe.detection import approved_bundle  # not at the top: realframe-detect has no registry
    except ModuleNotFoundError as error:
        reason = "is no folder, and versions and aliases are looked up in the model registry, which realframe-detect does not include"
        raise SetupError(model_ref, reason, "Name a folder that `realframe export` wrote, or install realframe itself.") from error
    with approved_bundle.open_version(model_ref) as bundle:
        return _load_bundle(bundle, bundle.version)


def _load_bundle(bundle: AnswerBundle, version: str) -> LoadedModel:
    subject = f"version {version}" if version.isdecimal() else version
    try:
        params = Params.model_validate(bundle.facts["params"])
    except ValidationError as error:
        reason = f"was made by another version of realframe: parameter {'.'.join(map(str, error.errors()[0]['loc']))} is not valid"
        raise RegistryError(subject, reason, "Train a new version: `realframe run`.") from error
    return LoadedModel(
        model=load_model(bundle.model),
        params=params.model_copy(update={"limits": read_limits(get_settings().root / "params.yaml")}),
        aggregate=bundle.facts["aggregate"],
        rule=VerdictRule.from_evaluation(bundle.facts, subject, bundle.judged_kinds),
        version=version,
        answer_key=bundle.answer_key,
    )
