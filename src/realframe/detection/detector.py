"""Score one file: decode it with the code of the pipeline's stages, and turn the scores of the network into a verdict."""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from realframe.detection import heatmaps, loaded_model
from realframe.detection.detection_builder import build_scored_detection, build_unscored_detection
from realframe.detection.result import DecodedFile, DetectionResult, StepTimer, compute_sha256_or_empty, display_path
from realframe.detection.stability import load_views
from realframe.errors import MediaError, NotMediaError
from realframe.evaluation.item_scores import ItemScore, ItemScorer
from realframe.media.file_frames import FileFrames, load_file_frames
from realframe.progress import ProgressCallback, no_progress
from realframe.provenance.origin_reader import read_provenance
from realframe.store.detection_documents import Detection


class Detector:
    """A trained model, applied to files as it was applied to the test set.

    Args:
        loaded: the model and what its evaluation found.
    """

    def __init__(self, loaded: loaded_model.LoadedModel) -> None:
        self.loaded = loaded
        self._scorer = ItemScorer(loaded.model, loaded.params, loaded.aggregate)

    @classmethod
    def load(cls, model_ref: str | Path = "champion") -> Self:
        """Load a version of the registry by number or alias, or the model in a folder: of a finished run, or an exported one.

        Raises:
            RegistryError: there is no such version, no version is approved, or what decides its answers is missing or was changed.
            SetupError: a version is named, and the model registry is not installed.
        """
        return cls(loaded_model.load_detector_model(str(model_ref)))

    @property
    def version(self) -> str:
        """The number of the version, or the folder of a run."""
        return self.loaded.version

    def detect(self, path: str | Path, name: str = "", on_progress: ProgressCallback = no_progress) -> DetectionResult:
        """Score one file. A file that cannot be scored has the verdict ``not scored`` with the reason; no error is raised for it.

        Args:
            path: of the file.
            name: what the detection calls the file; by default its path.
            on_progress: receives the progress.
        """
        return self.score(self.decode(Path(path), name, on_progress))

    def decode(
        self, path: Path, name: str = "", on_progress: ProgressCallback = no_progress, measures_stability: bool = False
    ) -> DecodedFile:
        """Read and decode a file, the first half of :meth:`detect`. Several threads may do it at once.

        Args:
            path: of the file.
            name: what the detection calls the file; by default its path.
            on_progress: receives the progress.
            measures_stability: make the views of an image that :meth:`score` compares with it.
        """
        timer = StepTimer(on_progress)
        timer("probing")
        provenance = read_provenance(path)
        frames: FileFrames | MediaError
        try:
            frames = load_file_frames(path, self.loaded.params, timer)
            self._refuse_images_for_clips(frames, path)
        except MediaError as error:
            frames = error
        views = self._load_views(path, frames) if measures_stability and isinstance(frames, FileFrames) else {}
        timer.stop()
        sha256 = compute_sha256_or_empty(path) if isinstance(frames, MediaError) else frames.sha256
        return DecodedFile(name or display_path(path), sha256, frames, provenance, timer, views)

    def score(self, decoded: DecodedFile) -> DetectionResult:
        """Score a decoded file, the second half of :meth:`detect`. One thread at a time."""
        frames = decoded.frames
        if isinstance(frames, MediaError):
            return DetectionResult(build_unscored_detection(self.loaded, decoded, frames), None, None)
        item = self._score_frames(frames, decoded.timer)
        views = dict(zip(decoded.views, self._scorer.score_many(list(decoded.views.values())), strict=True)) if decoded.views else {}
        detection = build_scored_detection(self.loaded, decoded, frames, item, {name: view.score for name, view in views.items()})
        return DetectionResult(detection, item.features, frames.pictures[item.positions])

    def explain(self, result: DetectionResult, folder: Path, on_progress: ProgressCallback = no_progress) -> Detection:
        """Write the sprites of the frames and of their heatmaps into ``folder``; return the detection with its tiles.

        A result without pictures has no sprites; its detection is returned as it is.
        """
        detection, pictures = result.detection, result.pictures
        if pictures is None:
            return detection
        timer, selected = StepTimer(on_progress), heatmaps.select_frames(detection)
        timer("explaining", 0, len(selected))
        tiles = heatmaps.write_heatmaps(self.loaded.model, pictures, selected, folder)
        timer("explaining", len(selected), len(selected))
        return detection.model_copy(update={"tiles": tiles, "seconds": detection.seconds | timer.stop()})

    def _load_views(self, path: Path, frames: FileFrames) -> dict[str, NDArray[np.uint8]]:
        """Return the views of an image; none of a video, or where there is no verdict that could change."""
        facts = frames.facts
        if facts.kind != "image" or self.loaded.rule.for_kind(facts.kind).abstention:
            return {}
        return load_views(path, facts.container, self.loaded.params)

    def _score_frames(self, frames: FileFrames, timer: StepTimer) -> ItemScore:
        timer("scoring", 0, self._scorer.count_scored_frames(len(frames.pictures)))
        return self._scorer.score(frames.pictures, timer)

    def _refuse_images_for_clips(self, frames: FileFrames, path: Path) -> None:
        if self._scorer.scores_clips and frames.facts.kind != "video":
            hint = "Use a version whose recipe scores frames: `realframe registry list` shows the recipes."
            raise NotMediaError(path, f"is an image, and version {self.version} scores videos only", hint)
