"""The guide of the API: its Python client runs as it stands there."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

from realframe.store.repository import Store
from realframe.web import error_responses
from tests.web.api.given import record, work


@pytest.fixture
def limits() -> dict[str, object]:
    return {"queue_limit": 1}


def test_the_client_of_the_guide_comes_back_when_there_is_room(
    live: tuple[str, int], live_key: str, store: Store, root: Path, tmp_path: Path
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "api.md").read_text(), re.DOTALL)
    (tmp_path / "clip.mp4").write_bytes(b"x" * 1000)
    url = f"http://{live[0]}:{live[1]}"
    given = {**os.environ, "REALFRAME_URL": url, "REALFRAME_KEY": live_key}

    record(store, file="before.mp4")

    def work_then() -> None:
        while 'code="request.busy"' not in httpx2.get(f"{url}/metrics").text:
            time.sleep(0.05)
        work(store, 2)

    worker = threading.Thread(target=work_then)
    worker.start()
    done = subprocess.run([sys.executable, "-c", block], env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    worker.join()
    assert (done.stdout, done.stderr) == ("ai-generated 0.97\n", "")


def test_the_codes_of_the_guide_are_those_of_the_service(root: Path) -> None:
    table = (root / "docs" / "api.md").read_text().split("## Errors")[1].split("## Limits")[0]
    told = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d+) \| ([^|]+) \|", table, re.MULTILINE)
        for code in re.findall(r"`([a-z.-]+)`", codes)
    }
    answered = {cls.code: status for cls, status in error_responses._STATUSES.items()}
    known = {code: status for code, status in told.items() if code in answered}
    assert len(known) >= 10
    assert known == {code: answered[code] for code in known}
