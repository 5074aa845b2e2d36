"""The detector at work: a file in, a verdict out. What it does to a file is the very code of the pipeline's stages."""

from pathlib import Path
from typing import Self

from realframe.detection import heatmaps, loaded_model, result
from realframe.detection.progress import ProgressCallback, ProgressWatch, no_progress
from realframe.detection.result import DecodedFile, DetectionResult, display_path
from realframe.errors import MediaError, NotMediaError
from realframe.evaluation.item_scores import ItemScore, Scorer
from realframe.media.file_frames import Frames, frames_of
from realframe.provenance.read_origin import provenance_of
from realframe.registry import model_registry
from realframe.store.detection_documents import Detection


class Detector:
    """A trained model with all that it takes to use it as it was evaluated.

    Args:
        loaded: the model and what its evaluation found.
    """

    def __init__(self, loaded: loaded_model.LoadedModel) -> None:
        self.loaded = loaded
        self._scorer = Scorer(loaded.model, loaded.params, loaded.aggregate)

    @classmethod
    def load(cls, which: str = model_registry.CHAMPION) -> Self:
        """Load a version of the registry by number or alias, or the model in the folder of a run.

        Raises:
            RegistryError: there is none, nobody has approved one, or its file is not the one that was registered.
        """
        return cls(loaded_model.load_detector_model(which))

    @property
    def version(self) -> str:
        """What the answers call the detector."""
        return self.loaded.version

    def detect(self, path: Path, name: str = "", report: ProgressCallback = no_progress) -> DetectionResult:
        """Score one file; one that can't be used is ``not scored``, with the reason. What it raises is a defect, never the file's fault.

        Args:
            path: of the file.
            name: what the answer calls it; by default its path.
            report: is told how far it has come.
        """
        return self.judge(self.look(path, name, report))

    def look(self, path: Path, name: str = "", report: ProgressCallback = no_progress) -> DecodedFile:
        """Do the first half of :meth:`detect`, reading and decoding, which several threads may do at once."""
        watch = ProgressWatch(report)
        watch("probing")
        provenance = provenance_of(path)
        frames: Frames | MediaError
        try:
            frames = frames_of(path, self.loaded.params, watch)
            self._refuse_other_kinds(frames, path)
        except MediaError as error:
            frames = error
        watch.stop()
        return DecodedFile(path, name or display_path(path), frames, provenance, watch)

    def judge(self, looked: DecodedFile) -> DetectionResult:
        """Do the other half of :meth:`detect`, scoring; one thread at a time."""
        if isinstance(looked.frames, MediaError):
            return DetectionResult(result.unscored(self.loaded, looked, looked.frames), None, None)
        found = self._score(looked.frames, looked.watch)
        return DetectionResult(
            result.scored(self.loaded, looked, looked.frames, found), found.features, looked.frames.pictures[found.positions]
        )

    def explain(self, detected: DetectionResult, folder: Path, report: ProgressCallback = no_progress) -> Detection:
        """Write ``frames.jpg`` and ``heat.jpg`` into ``folder``; return the answer with its tiles. Without pictures, return it as it is."""
        detection, pictures = detected.detection, detected.pictures
        if pictures is None:
            return detection
        watch, shown = ProgressWatch(report), heatmaps.chosen(detection)
        watch("explaining", 0, len(shown))
        tiles = heatmaps.draw_heatmaps(self.loaded.model, pictures, shown, folder)
        watch("explaining", len(shown), len(shown))
        return detection.model_copy(update={"tiles": tiles, "seconds": detection.seconds | watch.stop()})

    def _score(self, frames: Frames, watch: ProgressWatch) -> ItemScore:
        count = self._scorer.looked_at(len(frames.pictures))
        watch("scoring", 0, count)
        return self._scorer.score(frames.pictures, lambda scored: watch("scoring", scored, count))

    def _refuse_other_kinds(self, frames: Frames, path: Path) -> None:
        if self._scorer.sequential and frames.facts.kind != "video":
            hint = "Use a version whose recipe scores frames: `realframe registry list` shows their recipes."
            raise NotMediaError(path, f"is an image, and version {self.version} scores videos only", hint)
