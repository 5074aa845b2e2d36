"""Load a trained model with what its evaluation found, from the model registry or from the folder of a run."""

from dataclasses import dataclass
from pathlib import Path

import keras
from pydantic import ValidationError

from realframe.config import Params
from realframe.detection.approved_bundle import open_approved_bundle
from realframe.detection.confidence import TrainingReference, VerdictRule
from realframe.errors import RegistryError
from realframe.evaluation.network_scores import load_model
from realframe.models.aggregate import Aggregate
from realframe.registry import answer_bundle, model_registry
from realframe.registry.answer_bundle import AnswerBundle


@dataclass(frozen=True)
class LoadedModel:
    """A trained model and what its evaluation found.

    Attributes:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives the probability of ``fake``, (N, 1), or (1, 1) of a clip.
        params: the parameters of its training: how files become frames, and frames an item.
        aggregate: how the scores of frames become the score of an item.
        rule: how the score of an item becomes a verdict; it holds the fitted temperature.
        reference: the training and validation items, for intervals and cautions.
        version: the number of the version, or the folder.
        answer_digest: digest of all of these (``registry.answer_bundle``).
    """

    model: keras.Model
    params: Params
    aggregate: Aggregate
    rule: VerdictRule
    reference: TrainingReference
    version: str
    answer_digest: str


def load_detector_model(model_ref: str) -> LoadedModel:
    """Load a version by number or alias, or the model in a folder.

    Raises:
        RegistryError: there is no such version, no version is approved, or what decides its answers is missing or was changed.
    """
    if not model_ref.isdecimal() and Path(model_ref).is_dir():
        return _load_bundle(answer_bundle.read_run_folder(Path(model_ref)), model_ref)
    version = model_registry.resolve_version(model_ref)
    with open_approved_bundle(version) as bundle:
        return _load_bundle(bundle, str(version.version))


def _load_bundle(bundle: AnswerBundle, version: str) -> LoadedModel:
    subject = f"version {version}" if version.isdecimal() else version
    try:
        params = Params.model_validate(bundle.facts["params"])
    except ValidationError as error:
        reason = f"was made by another version of realframe: parameter {'.'.join(map(str, error.errors()[0]['loc']))} is not valid"
        raise RegistryError(subject, reason, "Train a new version: `realframe run`.") from error
    return LoadedModel(
        model=load_model(bundle.model),
        params=params,
        aggregate=bundle.facts["aggregate"],
        rule=VerdictRule.from_evaluation(bundle.facts, subject),
        reference=TrainingReference.read(bundle.reference, bundle.splits),
        version=version,
        answer_digest=bundle.digest,
    )
