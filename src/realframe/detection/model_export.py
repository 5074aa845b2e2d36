"""Export a version in the format of another runtime, with what must go with the network, and check that it gives the same scores.

The formats other than ``keras`` hold the network only. ``detector.json`` beside it has the facts that turn its scores into verdicts:
preprocessing, aggregation, threshold and the rule of each kind.
"""

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Literal, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from realframe.detection import approved_bundle
from realframe.detection.loaded_model import LoadedModel, load_detector_model
from realframe.errors import MediaError, RegistryError
from realframe.files import compute_sha256, write_text
from realframe.media.file_frames import load_file_frames
from realframe.media.frame_sampling import sample_evenly
from realframe.registry import detector_folder
from realframe.registry.detector_folder import AnswerBundle

Format = Literal["keras", "h5", "onnx", "tflite", "saved_model"]
Frames = NDArray[np.float32]
Scorer = Callable[[Frames], NDArray[np.float32]]
TOLERANCE = 1e-4
"""The largest difference of a probability that counts as an equal score."""
_MAX_FILES, _MAX_FRAMES, _MAX_TRIES = 8, 16, 50
_NAMES: dict[Format, str] = {
    "keras": detector_folder.MODEL_NAME.rpartition("/")[2],
    "h5": "model.h5",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
    "saved_model": "saved_model",
}
_ONNX_OPSET = 17
_log = logging.getLogger(__name__)


def export_version(model_ref: str, format_name: Format, output: Path, files: Iterable[Path]) -> dict[str, object]:
    """Write a detector to a folder and return its check: number of files and frames, largest difference, tolerance.

    Args:
        model_ref: number or alias of a version, or a folder of a run.
        format_name: the format of the network.
        output: the folder; it must not exist, or be empty.
        files: media whose frames both networks score; the first eight that can be read are used.

    Raises:
        RegistryError: there is no such version, or it was changed; the folder is not empty, no file can be read, the network cannot be
            converted, or its scores differ.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RegistryError(output, "exists and is not an empty folder", "Name another folder by --output.")
    loaded = load_detector_model(model_ref)
    clips = _read_clips(loaded, files)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.resolve().parent, prefix=".export-") as temporary:
        folder = Path(temporary) / "detector"
        folder.mkdir()
        folder.chmod(0o755)
        with _open_bundle(model_ref) as bundle:
            target = folder / _NAMES[format_name]
            if format_name == "keras":
                detector_folder.write_folder(bundle, folder)
            else:
                _convert(loaded, format_name, target)
            check = _compare(loaded, format_name, target, clips)
            if format_name != "keras":
                write_text(folder / detector_folder.DESCRIPTION, json.dumps(_describe(bundle, target, check), indent=1) + "\n")
        if output.exists():
            output.rmdir()
        shutil.move(folder, output)
    return check


@contextmanager
def _open_bundle(model_ref: str) -> Iterator[AnswerBundle]:
    if detector_folder.is_folder(model_ref):
        yield detector_folder.read_folder(Path(model_ref))
        return
    with approved_bundle.open_version(model_ref) as bundle:
        yield bundle


def _read_clips(loaded: LoadedModel, files: Iterable[Path]) -> list[Frames]:
    """Return frames of files, float32 (N, size, size, 3) each; those that this detector refuses are left out."""
    head, clips, tried = loaded.params.train.head, [], 0
    for file in files:
        tried += 1
        try:
            frames = load_file_frames(file, loaded.params)
        except MediaError as error:
            _log.info("not used for the check: %s", error)
            continue
        if not head.scores_clips or frames.facts.kind == "video":
            positions = sample_evenly(range(len(frames.pictures)), head.length if head.scores_clips else _MAX_FRAMES)
            clips.append(frames.pictures[np.asarray(positions)].astype(np.float32))
        if len(clips) == _MAX_FILES or tried == _MAX_TRIES:
            break
    if not clips:
        kind = "videos" if head.scores_clips else "images or videos"
        raise RegistryError("the check of the scores", f"needs {kind}, and none could be read", "Name a folder with some by --check-files.")
    return clips


def _convert(loaded: LoadedModel, format_name: Format, target: Path) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            if format_name == "h5":
                loaded.model.save(target)
            elif format_name == "saved_model":
                loaded.model.export(str(target), verbose=False)
            elif format_name == "tflite":
                with tempfile.TemporaryDirectory() as folder:
                    loaded.model.export(folder, verbose=False)
                    target.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
            else:
                import tf2onnx  # takes a second

                specs = [tf.TensorSpec((None, *loaded.model.input_shape[1:]), tf.float32, name="frames")]
                logging.getLogger("tf2onnx").setLevel(logging.ERROR)
                tf2onnx.convert.from_keras(loaded.model, input_signature=specs, opset=_ONNX_OPSET, output_path=str(target))
    except Exception as error:  # each converter raises its own
        reason = f"cannot be converted to {format_name}: {' '.join(str(error).split())[:200]}"
        raise RegistryError(f"version {loaded.version}", reason, "Choose another --format; keras holds every network.") from error


def _open_scorer(format_name: Format, target: Path) -> Scorer:
    """Return a function that scores frames by the exported file, in the runtime of its format."""
    if format_name == "saved_model":
        served = tf.saved_model.load(str(target))
        return lambda frames: cast(NDArray[np.float32], served.serve(frames).numpy())
    if format_name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
        return lambda frames: cast(NDArray[np.float32], session.run(None, {session.get_inputs()[0].name: frames})[0])
    if format_name == "tflite":
        return _open_tflite(target)
    safe = {"safe_mode": True} if format_name == "keras" else {}
    with warnings.catch_warnings(action="ignore") if format_name == "h5" else nullcontext():
        model = keras.saving.load_model(target, compile=False, **safe)
    return lambda frames: np.asarray(model(frames, training=False))


def _open_tflite(target: Path) -> Scorer:
    with warnings.catch_warnings(action="ignore"):  # a later TensorFlow has its interpreter in a package of its own
        interpreter = tf.lite.Interpreter(model_path=str(target))
    input_index, output_index = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def score(frames: Frames) -> NDArray[np.float32]:
        interpreter.resize_tensor_input(input_index, frames.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(input_index, frames)
        interpreter.invoke()
        return cast(NDArray[np.float32], interpreter.get_tensor(output_index))

    return score


def _compare(loaded: LoadedModel, format_name: Format, target: Path, clips: list[Frames]) -> dict[str, object]:
    subject, score, difference = f"version {loaded.version}", None, 0.0
    for frames in clips:
        expected = np.asarray(loaded.model(frames, training=False)).ravel()
        try:
            score = score or _open_scorer(format_name, target)
            scores = np.asarray(score(frames)).ravel()
        except Exception as error:  # each runtime raises its own
            reason = f"was converted to {format_name}, but its runtime cannot score with it: {' '.join(str(error).split())[:200]}"
            raise RegistryError(subject, reason, "Choose another --format; keras holds every network.") from error
        difference = max(difference, float(np.abs(scores - expected).max()) if scores.shape == expected.shape else np.inf)
    if not difference <= TOLERANCE:
        reason = f"scores differently as {format_name}: by up to {difference:.2g}, more than the tolerance of {TOLERANCE:g}"
        raise RegistryError(subject, reason, "Choose another --format; nothing was written.")
    counts = {"files": len(clips), "frames": sum(map(len, clips))}
    return {**counts, "max_difference": difference, "tolerance": TOLERANCE}


def _describe(bundle: AnswerBundle, target: Path, check: dict[str, object]) -> dict[str, object]:
    """Return what must go with the network. The key ``network`` tells the file from an exported detector, which realframe loads."""
    members = sorted(file for file in target.rglob("*") if file.is_file()) if target.is_dir() else [target]
    digests = {file.relative_to(target.parent).as_posix(): compute_sha256(file) for file in members}
    size = bundle.facts["params"]["clean"]["size"]
    frames = {"shape": ["frames", size, size, 3], "dtype": "float32", "range": [0, 255], "channels": "RGB"}
    network = {"file": target.name, "input": frames, "output": "probability of fake, per frame or per clip", "sha256": digests}
    return {"version": bundle.version, "answer_digest": bundle.digest, "network": network, "facts": bundle.facts, "check": check}
