"""The detector at work: a file in, a verdict out. What it does to a file is the very code of the pipeline's stages."""

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import keras
import mlflow
from pydantic import ValidationError

from bonafide import artefacts, params
from bonafide.errors import MediaError, NotMediaError, RegistryError
from bonafide.evaluation.clips import ClipScorer
from bonafide.evaluation.predict import load_model, score_frames_of
from bonafide.files import sha256_of
from bonafide.media.frames import Frames, frames_of
from bonafide.models.aggregate import Aggregate, item_score
from bonafide.params import Params
from bonafide.tracking import registry

Verdict = Literal["real", "ai-generated", "not scored"]


@dataclass(frozen=True)
class FrameScore:
    """The score of one frame.

    Attributes:
        time_s: when it is shown, seconds since the first frame.
        score: its probability of ``fake``, in [0, 1].
    """

    time_s: float
    score: float


@dataclass(frozen=True)
class Detection:
    """What the detector says of one file.

    Attributes:
        path: the file.
        verdict: ``real``, ``ai-generated``, or ``not scored`` where the file can't be used.
        probability: that it is AI-generated, in [0, 1]; None where not scored.
        threshold: from which probability on the verdict is ``ai-generated``.
        looked_at: how many frames were looked at.
        frames: each of them with its score; none where the detector scores the clip as a whole.
        model: the version of the detector.
        seconds: wall clock of ``decode`` and ``score``.
        code: of ``bonafide.errors``, why it was not scored; empty where it was.
        message: the same as a sentence.
    """

    path: str
    verdict: Verdict
    probability: float | None
    threshold: float
    looked_at: int
    frames: tuple[FrameScore, ...]
    model: str
    seconds: Mapping[str, float]
    code: str = ""
    message: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


class Detector:
    """A trained model with all that it takes to use it as it was evaluated.

    Args:
        model: takes float32 RGB frames (N, size, size, 3) in [0, 255], gives (N, 1) the probability of ``fake``.
        run: the parameters with which it was trained: how files become frames and frames an item.
        aggregate: how the scores of frames become that of an item.
        threshold: from which score on an item is called AI-generated.
        version: what it is called.
    """

    def __init__(self, model: keras.Model, run: Params, aggregate: Aggregate, threshold: float, version: str) -> None:
        self._model, self._run, self._aggregate = model, run, aggregate
        head = run.train.head
        self._clips = ClipScorer(model, head.length, run.train.batch_size) if head.sequential else None
        self.threshold, self.version = threshold, version

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
        return cls(load_model(files[0]), params.load(files[2]), metrics["aggregate"], float(metrics["threshold"]), str(folder))

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
        return cls(model, run, origin["aggregate"], float(origin["threshold"]), str(version.version))

    def detect(self, path: Path) -> Detection:
        """Score one file; one that can't be used is ``not scored``, with the reason."""
        began = time.monotonic()
        try:
            frames = frames_of(path, self._run)
            self._refuse_other_kinds(frames, path)
        except MediaError as error:
            seconds = {"decode": time.monotonic() - began, "score": 0.0}
            return Detection(str(path), "not scored", None, self.threshold, 0, (), self.version, seconds, error.code, str(error))
        decoded = time.monotonic()
        looked_at, scored, probability = self._scored(frames)
        return Detection(
            path=str(path),
            verdict="ai-generated" if probability >= self.threshold else "real",
            probability=probability,
            threshold=self.threshold,
            looked_at=looked_at,
            frames=scored,
            model=self.version,
            seconds={"decode": decoded - began, "score": time.monotonic() - decoded},
        )

    def _refuse_other_kinds(self, frames: Frames, path: Path) -> None:
        if self._clips and frames.facts.kind != "video":
            cure = "Use a version whose recipe scores frames: `bonafide registry list` shows their recipes."
            raise NotMediaError(path, f"is an image, and version {self.version} scores videos only", cure)

    def _scored(self, frames: Frames) -> tuple[int, tuple[FrameScore, ...], float]:
        """Return how many frames were looked at, their scores where each has one, and the file's score."""
        if self._clips:
            positions = self._clips.chosen(len(frames.pictures))
            return len(positions), (), self._clips.score(frames.pictures[positions], positions).score
        scores = score_frames_of(self._model, frames.pictures, self._run.train.batch_size)
        timed = zip(frames.times_s, scores, strict=True)
        return len(scores), tuple(FrameScore(float(at), float(score)) for at, score in timed), item_score(scores, self._aggregate)
