"""Rendering a labelled set, and beside it a few clips that no run sees. What is there already stays; a kill leaves no half file."""

import csv
import io
import json
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from realframe.demo import scene_layers, scene_pairs, scenes, simulated_camera, simulated_generator, textures
from realframe.demo.scene_pairs import Pair
from realframe.errors import DatasetError
from realframe.files import source_digest, write_text
from realframe.settings import get_settings

CAVEAT = (
    "This set is rendered by a program: simulated cameras against simulated generators. Scores on it say that the pipeline works. "
    "They say nothing of real cameras or real generators."
)
_MARK = "demo.json"  # says which seed and version made the set
_README = f"""# Demo data of realframe

{CAVEAT}

Each scene is there twice: `real/<camera>/` as a simulated camera films it (lens, colour mosaic, shot and read noise, sensor pattern),
and `fake/<generator>/` as a simulated generator's decoder makes it (latent grid, upsampling, invented texture). Both sides have the
same codec, quality, size, frame rate and length. `media.csv` names label, generator, source and group of each file; the two renderings
of a scene share a group. Made by `realframe demo-data`; the folder may be deleted.
"""


@dataclass(frozen=True)
class Rendered:
    """What a call of ``render`` found and did.

    Attributes:
        folder: of the labelled set.
        unseen: of the clips that no run sees.
        files: how many the two hold.
        new: how many of them this call rendered.
    """

    folder: Path
    unseen: Path
    files: int
    new: int


def render(folder: Path, *, clips: int = 120, images: int = 80, unseen: int = 6, seed: int = 42) -> Rendered:
    """Render a labelled set into ``folder`` and unseen clips into ``<folder>-unseen``, over all cores, and say so with a progress bar.

    The same seed gives the same bytes on one machine. A set can grow: asked for fewer files than are there, it keeps them.

    Args:
        folder: empty, new, or holding a set of this seed.
        clips: how many, half of them real.
        images: how many, half of them real.
        unseen: how many clips of scenes that are not in the set, half of them real.
        seed: of all randomness.

    Raises:
        DatasetError: the folder holds something else, or a set of another seed or version.
        SetupError: FFmpeg can't write H.264.
    """
    aside = _aside(folder)
    kept = _kept(folder, seed)
    _kept(aside, seed)
    seen = scene_pairs.pairs(folder, "clip", max(clips, kept["clips"]), seed) + scene_pairs.pairs(
        folder, "image", max(images, kept["images"]), seed
    )
    todo = [pair for pair in seen + scene_pairs.pairs(aside, "unseen", unseen, seed) if pair.missing()]
    new = sum(len(pair.missing()) for pair in todo)
    if todo:
        counts = {"clips": max(clips, kept["clips"]), "images": max(images, kept["images"])}
        for home in sorted({folder, *(pair.folder for pair in todo)}):
            write_text(home / _MARK, json.dumps({**_version(seed), **counts}, indent=2))
            write_text(home / "README.txt", _README)
        _render_all(todo)
    if todo or not (folder / "media.csv").exists():
        write_text(folder / "media.csv", _manifest(seen))
    files = sum(len(pair.files) for pair in seen) + unseen
    return Rendered(folder, aside, files, new)


def is_outdated(folder: Path, *, seed: int = 42) -> bool:
    """Say whether another version of this program, or another seed, rendered what ``folder`` or the folder of unseen clips holds."""
    return any((home / _MARK).exists() and _said(home) != _version(seed) for home in (folder, _aside(folder)))


def discard(folder: Path) -> None:
    """Delete the set in ``folder`` and its unseen clips; cut short, what is left is still known as demo data."""
    for home in (_aside(folder), folder):
        for path in home.iterdir() if (home / _MARK).exists() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _MARK:
                path.unlink()
        (home / _MARK).unlink(missing_ok=True)


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-unseen")


def _render_all(todo: list[Pair]) -> None:
    workers = min(len(todo), get_settings().workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(pair.render) for pair in todo]
        try:
            for job in tqdm(as_completed(jobs), total=len(jobs), desc="rendering", unit="scene"):
                job.result()
        except BaseException:  # also Ctrl-C: what has not begun is not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _manifest(seen: list[Pair]) -> str:
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(("file_path", "label", "generator", "source", "group"))
    for pair in seen:
        makers = {"real": ("", pair.camera.name), "fake": (pair.generator.name, "")}
        for label, path in pair.files.items():
            sheet.writerow((path.relative_to(pair.folder).as_posix(), label, *makers[label], pair.group))
    return text.getvalue()


def _kept(folder: Path, seed: int) -> dict[str, int]:
    """Return how many clips and images the set in ``folder`` has. Raises DatasetError where it is no set of this seed and version."""
    mark = folder / _MARK
    if not mark.exists():
        if folder.exists() and any(folder.iterdir()):
            raise DatasetError(folder, "holds files that are not demo data", "Name a folder that is new or empty.")
        return {"clips": 0, "images": 0}
    if (said := _said(folder)) != _version(seed):
        reason = f"holds demo data of another version or seed (there: {said['seed']}, asked for: {seed})"
        raise DatasetError(folder, reason, "Delete that folder, or name another.")
    counts = json.loads(mark.read_text())
    return {"clips": counts["clips"], "images": counts["images"]}


def _said(folder: Path) -> dict[str, int | str | None]:
    """The seed and version that the mark in ``folder`` names."""
    said = json.loads((folder / _MARK).read_text())
    return {key: said.get(key) for key in ("seed", "version")}


def _version(seed: int) -> dict[str, int | str]:
    return {
        "seed": seed,
        "version": source_digest(simulated_camera, scene_pairs, simulated_generator, scene_layers, scenes, textures),
    }
