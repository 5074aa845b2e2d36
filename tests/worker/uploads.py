"""Upload files as the web process does, run a worker in the test's process, and wait for its results."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from realframe.media.ffmpeg import ffmpeg_executable
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.document_base import format_current_time
from realframe.store.repository import Store
from realframe.store.upload_queue import MEDIA_NAME
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown
from realframe.worker.worker_loop import WorkerLoop

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], timeout_s: float = 60.0) -> T:
    """Return the result of ``condition`` as soon as it is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError("the condition was not met in time")


def write_photo(file: Path, seed: int = 0) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (96, 128, 3), np.uint8)).save(file, "JPEG")
    return file


def write_clip(file: Path, seconds: float, size: str = "192x144", rate: int = 10) -> Path:
    source = f"testsrc2=size={size}:rate={rate}:duration={seconds}"
    subprocess.run([ffmpeg_executable(), "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "mpeg4", str(file)], check=True)
    return file


@dataclass
class TestWorker:
    """A worker in the process of the test."""

    __test__ = False

    loop: WorkerLoop
    models: ModelManager
    shutdown: Shutdown

    def run_until_idle(self) -> None:
        while self.loop.run_next():
            pass


@dataclass
class Uploads:
    """The uploads of a checkout."""

    settings: Settings
    store: Store

    def folder(self, detection_id: str) -> Path:
        return self.settings.uploads_dir / detection_id

    def add(self, source: Path, **fields: object) -> str:
        """Upload a file; return the id of its record."""
        detection_id = upload_queue.create_detection_id()
        self.folder(detection_id).mkdir(parents=True)
        (self.folder(detection_id) / MEDIA_NAME).write_bytes(source.read_bytes())
        defaults = {"owner": "ann", "file": source.name, "bytes": source.stat().st_size, "created": format_current_time()}
        self.store.insert(DetectionRecord.model_validate({"detection_id": detection_id} | defaults | fields))
        return detection_id

    def add_photo(self, **fields: object) -> str:
        """Upload a photo that no other upload has; return the id of its record."""
        return self.add(write_photo(self.settings.root / "photo.jpg", time.monotonic_ns()), **fields)

    def record(self, detection_id: str) -> DetectionRecord:
        record = self.store.get(DetectionRecord, detection_id)
        assert record
        return record
