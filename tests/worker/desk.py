"""Hands files in as the web process does, and waits for what the worker makes of them."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from realframe.media.ffmpeg import executable
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.document_base import now
from realframe.store.repository import Store
from realframe.web.uploads.upload import MEDIA
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown
from realframe.worker.worker_loop import WorkerLoop

T = TypeVar("T")


def eventually(look: Callable[[], T | None], within_s: float = 60.0) -> T:
    """Return what ``look`` returns as soon as that is true."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that in time")


def write_photo(file: Path, seed: int = 0) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (96, 128, 3), np.uint8)).save(file, "JPEG")
    return file


def write_clip(file: Path, seconds: float, size: str = "192x144", rate: int = 10) -> Path:
    source = f"testsrc2=size={size}:rate={rate}:duration={seconds}"
    subprocess.run([executable(), "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, "-c:v", "mpeg4", str(file)], check=True)
    return file


@dataclass
class Bench:
    """A worker in the process of the test."""

    work: WorkerLoop
    warm: ModelManager
    ending: Shutdown

    def until_idle(self) -> None:
        while self.work.step():
            pass


@dataclass
class Desk:
    """Where files are handed in."""

    settings: Settings
    store: Store

    def folder(self, detection_id: str) -> Path:
        return self.settings.uploads_dir / detection_id

    def hand_in(self, source: Path, **facts: object) -> str:
        detection_id = upload_queue.new_id()
        self.folder(detection_id).mkdir(parents=True)
        (self.folder(detection_id) / MEDIA).write_bytes(source.read_bytes())
        given = {"owner": "ann", "file": source.name, "bytes": source.stat().st_size, "created": now()}
        self.store.insert(DetectionRecord.model_validate({"detection_id": detection_id} | given | facts))
        return detection_id

    def photo(self, **facts: object) -> str:
        return self.hand_in(write_photo(self.settings.root / "photo.jpg", time.monotonic_ns()), **facts)

    def record(self, detection_id: str) -> DetectionRecord:
        found = self.store.get(DetectionRecord, detection_id)
        assert found
        return found
