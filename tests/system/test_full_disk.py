"""A full disk: one sentence that names the folder and the remedy, and no answer is lost for a cache that cannot be written.

The disk is real: a small tmpfs in a mount namespace of the child process, filled to its last block.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from realframe.registry import model_registry
from realframe.settings import Settings
from tests.state_fixtures import embedded_uri, settings, store, three_versions
from tests.worker.uploads import write_photo

__all__ = ["embedded_uri", "settings", "store", "three_versions"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
FILL = "dd if=/dev/zero of={disk}/.fill bs=4k 2>/dev/null || true"

WRITE_UNTIL_FULL = """
import subprocess, sys
from realframe.errors import MetadataError
from realframe.settings import get_settings
from realframe.store.repository import open_store
from realframe.store.user_documents import Prediction
from tests.drift.sample_predictions import make_predictions
with open_store(get_settings()) as store:
    store.upsert(make_predictions(20))
    subprocess.run(sys.argv[1], shell=True)
    try:
        for start in range(20, 9000, 300):
            store.upsert(make_predictions(300, first=start))
    except MetadataError as error:
        print(error)
    print(len(store.find_keys(Prediction)) >= 20)
    subprocess.run(["rm", sys.argv[2]])
    store.upsert(make_predictions(5, first=9000))
    print(make_predictions(1, first=9000)[0].key in store.find_keys(Prediction))
"""

DECODE = """
import sys
from pathlib import Path
import ffmpeg
from realframe import config
from realframe.errors import MediaError
from realframe.media.ffmpeg import run_ffmpeg
limits = config.load_params(Path(sys.argv[2])).limits
source = ffmpeg.input("testsrc2=size=640x480:duration=2", f="lavfi")
try:
    run_ffmpeg(source.output("file:" + sys.argv[1], vcodec="ffv1", f="matroska", loglevel="error"), limits, "clip.mp4")
except MediaError as error:
    print("MediaError", error)
except OSError as error:
    print("OSError", error)
"""


@pytest.fixture
def run_on_full_disk(tmp_path: Path, root: Path) -> Run:
    """Return a function that runs a command while the disk of a folder is full; what the folder holds is on that disk."""
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not allow a mount namespace")

    def run(
        *command: object, disk: Path, cwd: Path = root, megabytes: int = 16, fill: bool = True, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        disk.mkdir(parents=True, exist_ok=True)
        copy = tmp_path / "copy-of-the-disk"
        shutil.copytree(disk, copy, dirs_exist_ok=True)
        steps = [
            f"mount -t tmpfs -o mode=0700,size={megabytes}m tmpfs {shlex.quote(str(disk))}",
            f"cp -a {shlex.quote(str(copy))}/. {shlex.quote(str(disk))}/",
            FILL.format(disk=shlex.quote(str(disk))) if fill else "true",
            f"cd {shlex.quote(str(cwd))}",
            shlex.join(map(str, command)),
        ]
        script = " && ".join(steps)
        env = os.environ | {"PYTHONPATH": f"{root}:{root / 'src'}"} | variables
        return subprocess.run([*UNSHARE, "sh", "-c", script], capture_output=True, text=True, check=False, env=env, timeout=180)

    return run


def realframe(*arguments: object) -> list[object]:
    return [sys.executable, "-m", "realframe", *arguments]


def assert_one_sentence(result: "subprocess.CompletedProcess[str]", folder: Path) -> None:
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    last_line = result.stderr.strip().splitlines()[-1]
    assert str(folder) in last_line
    assert "disk is full" in last_line
    assert "Free space" in last_line


def test_the_embedded_store_names_the_full_disk_at_its_start(settings: Settings, run_on_full_disk: Run) -> None:
    result = run_on_full_disk(*realframe("keys", "list"), disk=settings.state_dir, MONGODB_URI="")
    assert_one_sentence(result, settings.state_dir)
    assert "60 seconds" not in result.stderr


def test_a_running_store_names_the_full_disk_and_goes_on_afterwards(settings: Settings, run_on_full_disk: Run) -> None:
    disk = settings.state_dir
    fill = FILL.format(disk=shlex.quote(str(disk)))
    command = [sys.executable, "-c", WRITE_UNTIL_FULL, fill, disk / ".fill"]
    result = run_on_full_disk(*command, disk=disk, fill=False, MONGODB_URI="")
    assert result.returncode == 0, result.stderr
    message, *kept = result.stdout.splitlines()
    assert "database or disk is full" in message
    assert "Free space" in message
    assert len(message) < 500, "a message holds no documents"
    assert kept == ["True", "True"]


def test_detect_answers_though_nothing_can_be_cached(
    settings: Settings, three_versions: Path, run_on_full_disk: Run, tmp_path: Path
) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    photo = write_photo(tmp_path / "photo.jpg")
    result = run_on_full_disk(*realframe("detect", "--csv", "-", photo), disk=settings.cache_dir, megabytes=96)
    assert result.returncode == 0, result.stderr
    assert "photo.jpg" in result.stdout
    assert "not cached for the next run" in result.stderr
    assert "Traceback" not in result.stderr


def test_detect_names_the_full_disk_of_its_output(settings: Settings, three_versions: Path, run_on_full_disk: Run, tmp_path: Path) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    photo, disk = write_photo(tmp_path / "photo.jpg"), tmp_path / "out"
    assert_one_sentence(run_on_full_disk(*realframe("detect", "--csv", disk / "verdicts.csv", photo), disk=disk), disk)


def test_detect_names_a_full_folder_of_temporary_files(
    settings: Settings, three_versions: Path, run_on_full_disk: Run, tmp_path: Path
) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    photo, disk = write_photo(tmp_path / "photo.jpg"), tmp_path / "temporary"
    result = run_on_full_disk(*realframe("detect", photo), disk=disk, TMPDIR=str(disk))
    assert "Traceback" not in result.stderr
    assert result.returncode == 0 or str(disk) in result.stderr


def test_a_stage_names_the_full_disk(root: Path, tmp_path: Path, run_on_full_disk: Run) -> None:
    folder = tmp_path / "run"
    (folder / "build").mkdir(parents=True)
    (folder / "data" / "raw" / "real").mkdir(parents=True)
    write_photo(folder / "data" / "raw" / "real" / "photo.jpg")
    resolve = "from pathlib import Path; from realframe.config import resolve_params; root = Path({root!r}); "
    resolve += "resolve_params(root / 'params.yaml', root / 'recipes').save(Path({target!r}))"
    subprocess.run([sys.executable, "-c", resolve.format(root=str(root), target=str(folder / "build" / "params.yaml"))], check=True)
    (folder / "data" / "takedowns.json").write_text("[]")
    result = run_on_full_disk(
        sys.executable, "-m", "pipelines.catalog", disk=folder, cwd=folder, DVC_STAGE="catalog", REALFRAME_HOME=str(folder / "state")
    )
    assert_one_sentence(result, folder)


def test_a_full_disk_is_no_fault_of_the_file_that_ffmpeg_reads(root: Path, tmp_path: Path, run_on_full_disk: Run) -> None:
    params = tmp_path / "params.yaml"
    resolve = f"from pathlib import Path; from realframe.config import resolve_params; root = Path({str(root)!r}); "
    resolve += f"resolve_params(root / 'params.yaml', root / 'recipes').save(Path({str(params)!r}))"
    subprocess.run([sys.executable, "-c", resolve], check=True)
    result = run_on_full_disk(sys.executable, "-c", DECODE, tmp_path / "out" / "clip.mkv", params, disk=tmp_path / "out")
    assert result.stdout.startswith("OSError [Errno 28]"), result.stdout + result.stderr
