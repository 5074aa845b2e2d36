"""The detector at work: a file in, a verdict out. What it does to a file is the very code of the pipeline's stages."""

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import keras
import mlflow
from pydantic import ValidationError

from bonafide import artefacts, params
from bonafide.detection.detection import Detection, FrameScore, Rule
from bonafide.errors import MediaError, NotMediaError, RegistryError
from bonafide.evaluation.predict import load_model
from bonafide.evaluation.scoring import Scored, Scorer
from bonafide.files import sha256_of
from bonafide.media.frames import Frames, frames_of
from bonafide.models.aggregate import Aggregate
from bonafide.params import Params
from bonafide.tracking import registry


class Detector:
    """A trained model with all that it takes to use it as it was evaluated.

    Args:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives (N, 1) the probability of ``fake``.
        run: the parameters with which it was trained: how files become frames and frames an item.
        aggregate: how the scores of frames become that of an item.
        rule: how an item's score becomes a verdict.
        version: what it is called.
    """

    def __init__(self, model: keras.Model, run: Params, aggregate: Aggregate, rule: Rule, version: str) -> None:
        self._scorer, self._run = Scorer(model, run, aggregate), run
        self.rule, self.version = rule, version

    @classmethod
    def load(cls, which: str = registry.CHAMPION) -> Self:
        """Load a version of the registry by number or alias, or the model in the folder of a run.

        Raises:
            RegistryError: there is none, nobody has approved one, or its file is not the one that was registered.
        """
        if not which.isdecimal() and Path(which).is_dir():
            return cls.from_folder(Path(which))
        return cls._from_registry(registry.named(which))

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Load the model of a folder in which the stages ran. Raises RegistryError."""
        files = [folder / path for path in (artefacts.MODEL, artefacts.METRICS, artefacts.RESOLVED)]
        if missing := [file for file in files if not file.exists()]:
            raise RegistryError(missing[0], "is not there, so the folder holds no evaluated model", "Run `bonafide run train_model`.")
        metrics = json.loads(files[1].read_text())
        return cls(load_model(files[0]), params.load(files[2]), metrics["aggregate"], Rule.of(metrics, files[1]), str(folder))

    @classmethod
    def _from_registry(cls, version: registry.ModelVersion) -> Self:
        origin = mlflow.models.get_model_info(version.uri).metadata["bonafide"]
        with tempfile.TemporaryDirectory() as folder:
            file = next(Path(mlflow.artifacts.download_artifacts(version.uri, dst_path=folder)).rglob("*.keras"), None)
            if file is None or sha256_of(file) != version.sha256:
                reason = "its file is not the one that was registered and reviewed"
                raise RegistryError(f"version {version.version}", reason, "Roll back: `bonafide registry rollback`.")
            model = load_model(file)
        try:
            run = Params.model_validate(origin["params"])
        except ValidationError as error:
            reason = f"was registered by a bonafide with other parameters ({error.errors()[0]['loc']})"
            raise RegistryError(f"version {version.version}", reason, "Train it anew with this bonafide: `bonafide run`.") from error
        return cls(model, run, origin["aggregate"], Rule.of(origin, f"version {version.version}"), str(version.version))

    def detect(self, path: Path) -> Detection:
        """Score one file; one that can't be used is ``not scored``, with the reason."""
        began = time.monotonic()
        try:
            frames = frames_of(path, self._run)
            self._refuse_other_kinds(frames, path)
        except MediaError as error:
            return Detection(
                path=str(path),
                verdict="not scored",
                probability=None,
                score=None,
                band=self.rule.band,
                threshold=self.rule.threshold,
                looked_at=0,
                frames=(),
                model=self.version,
                seconds={"decode": time.monotonic() - began, "score": 0.0},
                code=error.code,
                message=str(error),
            )
        decoded = time.monotonic()
        scored = self._scorer.score(frames.pictures)
        seconds = {"decode": decoded - began, "score": time.monotonic() - decoded}
        return self._detection(path, frames, scored, seconds)

    def _detection(self, path: Path, frames: Frames, scored: Scored, seconds: Mapping[str, float]) -> Detection:
        probability = self.rule.probability(scored.score)
        return Detection(
            path=str(path),
            verdict=self.rule.band.verdict(probability),
            probability=probability,
            score=scored.score,
            band=self.rule.band,
            threshold=self.rule.threshold,
            looked_at=scored.looked_at,
            frames=_timed(frames, scored),
            model=self.version,
            seconds=seconds,
            kind=frames.facts.kind,
            features=scored.features,
        )

    def _refuse_other_kinds(self, frames: Frames, path: Path) -> None:
        if self._scorer.sequential and frames.facts.kind != "video":
            cure = "Use a version whose recipe scores frames: `bonafide registry list` shows their recipes."
            raise NotMediaError(path, f"is an image, and version {self.version} scores videos only", cure)


def _timed(frames: Frames, scored: Scored) -> tuple[FrameScore, ...]:
    """Return the score of each frame with its time; none where the detector scores the clip as a whole."""
    if scored.frames is None:
        return ()
    return tuple(FrameScore(float(at), float(score)) for at, score in zip(frames.times_s, scored.frames, strict=True))
