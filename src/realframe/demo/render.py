"""Render a labeled demo set and, in a second folder, a few clips that no run sees.

Existing files are kept, and a killed process leaves no partial file.
"""

import csv
import io
import json
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from realframe.caching.code_digest import code_digest
from realframe.demo import scene_pairs
from realframe.demo.scene_pairs import ScenePair
from realframe.errors import DatasetError
from realframe.files import write_text
from realframe.settings import get_settings

CAVEAT = (
    "This set is rendered by a program: simulated cameras and simulated generators. Scores on it show that the pipeline works. "
    "They say nothing of real cameras or real generators."
)
_VERSION_FILE = "demo.json"  # seed and version that rendered the set
_README = f"""# Demo data of realframe

{CAVEAT}

Each scene exists twice: in `real/<camera>/` as a simulated camera films it (lens, color mosaic, shot and read noise, sensor pattern),
and in `fake/<generator>/` as the decoder of a simulated generator makes it (latent grid, upsampling, invented texture). Both classes have
the same codec, quality, size, frame rate and length. `media.csv` lists label, generator, source and group of each file; the two renderings
of a scene share a group. Written by `realframe demo-data`; the folder may be deleted.
"""


@dataclass(frozen=True)
class RenderedSet:
    """The result of ``render_demo_data``.

    Attributes:
        folder: folder of the labeled set.
        unseen_dir: folder of the clips that no run sees.
        file_count: number of files in both folders.
        rendered_count: number of files that this call rendered.
    """

    folder: Path
    unseen_dir: Path
    file_count: int
    rendered_count: int


def render_demo_data(folder: Path, *, clips: int = 120, images: int = 80, unseen: int = 6, seed: int = 42) -> RenderedSet:
    """Render a labeled set into ``folder`` and unseen clips into ``<folder>-unseen``, on all cores, with a progress bar.

    The same seed gives the same bytes on one machine. A set can grow, but never shrinks: more files than requested are kept.

    Args:
        folder: new, empty, or with a set of this seed.
        clips: number of clips, half of them real.
        images: number of images, half of them real.
        unseen: number of clips of scenes that are not in the set, half of them real.
        seed: of all randomness.

    Raises:
        DatasetError: the folder holds other files, or a set of another seed or version.
        SetupError: FFmpeg cannot write H.264.
    """
    unseen_folder = _unseen_folder(folder)
    existing = _count_existing(folder, seed)
    _count_existing(unseen_folder, seed)
    set_pairs = scene_pairs.make_pairs(folder, "clip", max(clips, existing["clips"]), seed) + scene_pairs.make_pairs(
        folder, "image", max(images, existing["images"]), seed
    )
    missing_pairs = [pair for pair in set_pairs + scene_pairs.make_pairs(unseen_folder, "unseen", unseen, seed) if pair.missing_files()]
    new = sum(len(pair.missing_files()) for pair in missing_pairs)
    if missing_pairs:
        counts = {"clips": max(clips, existing["clips"]), "images": max(images, existing["images"])}
        for home in sorted({folder, *(pair.folder for pair in missing_pairs)}):
            write_text(home / _VERSION_FILE, json.dumps({**_current_version(seed), **counts}, indent=2))
            write_text(home / "README.txt", _README)
        _render_all(missing_pairs)
    if missing_pairs or not (folder / "media.csv").exists():
        write_text(folder / "media.csv", _format_label_csv(set_pairs))
    files = sum(len(pair.files) for pair in set_pairs) + unseen
    return RenderedSet(folder, unseen_folder, files, new)


def is_outdated(folder: Path, *, seed: int = 42) -> bool:
    """Return whether another version of this program, or another seed, rendered the set in ``folder`` or its unseen clips."""
    return any(
        (home / _VERSION_FILE).exists() and _read_version(home) != _current_version(seed) for home in (folder, _unseen_folder(folder))
    )


def delete_set(folder: Path) -> None:
    """Delete the set in ``folder`` and its unseen clips; after an interrupted call the rest is still recognized as demo data."""
    for home in (_unseen_folder(folder), folder):
        for path in home.iterdir() if (home / _VERSION_FILE).exists() else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _VERSION_FILE:
                path.unlink()
        (home / _VERSION_FILE).unlink(missing_ok=True)


def _unseen_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-unseen")


def _render_all(pairs: list[ScenePair]) -> None:
    workers = min(len(pairs), get_settings().workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(pair.render) for pair in pairs]
        try:
            for job in tqdm(as_completed(jobs), total=len(jobs), desc="rendering", unit="scene"):
                job.result()
        except BaseException:  # also Ctrl-C: cancel the pending jobs
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _format_label_csv(pairs: list[ScenePair]) -> str:
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(("file_path", "label", "generator", "source", "group"))
    for pair in pairs:
        makers = {"real": ("", pair.camera.name), "fake": (pair.generator.name, "")}
        for label, path in pair.files.items():
            sheet.writerow((path.relative_to(pair.folder).as_posix(), label, *makers[label], pair.group))
    return text.getvalue()


def _count_existing(folder: Path, seed: int) -> dict[str, int]:
    """Return the number of clips and images of the set in ``folder``. Raises DatasetError if it has another seed or version."""
    version_file = folder / _VERSION_FILE
    if not version_file.exists():
        if folder.exists() and any(folder.iterdir()):
            raise DatasetError(folder, "holds files that are not demo data", "Choose a folder that is new or empty.")
        return {"clips": 0, "images": 0}
    if (recorded := _read_version(folder)) != _current_version(seed):
        reason = f"holds demo data of another version or seed (found: {recorded['seed']}, requested: {seed})"
        raise DatasetError(folder, reason, "Delete that folder, or choose another one.")
    counts = json.loads(version_file.read_text())
    return {"clips": counts["clips"], "images": counts["images"]}


def _read_version(folder: Path) -> dict[str, int | str | None]:
    """Return the seed and version recorded in ``folder``."""
    recorded = json.loads((folder / _VERSION_FILE).read_text())
    return {key: recorded.get(key) for key in ("seed", "version")}


def _current_version(seed: int) -> dict[str, int | str]:
    return {"seed": seed, "version": code_digest(scene_pairs.__name__)}
