"""The API guide docs/api.md: its Python example runs, and its error codes are those of the service."""

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
from tests.web.api.queued_uploads import finish_uploads, insert_record


@pytest.fixture
def changed_settings() -> dict[str, object]:
    return {"queue_limit": 1}


def test_the_example_client_retries_when_the_queue_is_full(
    live: tuple[str, int], live_key: str, store: Store, root: Path, tmp_path: Path
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "api.md").read_text(), re.DOTALL)
    (tmp_path / "clip.mp4").write_bytes(b"x" * 1000)
    url = f"http://{live[0]}:{live[1]}"
    environment = {**os.environ, "REALFRAME_URL": url, "REALFRAME_KEY": live_key}

    insert_record(store, file="before.mp4")

    def work_after_refusal() -> None:
        while 'code="request.busy"' not in httpx2.get(f"{url}/metrics").text:
            time.sleep(0.05)
        finish_uploads(store, 2)

    worker = threading.Thread(target=work_after_refusal)
    worker.start()
    done = subprocess.run(
        [sys.executable, "-c", block], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    worker.join()
    assert (done.stdout, done.stderr) == ("ai-generated 0.97\n", "")


def test_the_error_codes_of_the_guide_match_the_service(root: Path) -> None:
    table = (root / "docs" / "api.md").read_text().split("## Errors")[1].split("## Limits")[0]
    documented = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d+) \| ([^|]+) \|", table, re.MULTILINE)
        for code in re.findall(r"`([a-z.-]+)`", codes)
    }
    statuses = {cls.code: status for cls, status in error_responses._STATUSES.items()}
    common = {code: status for code, status in documented.items() if code in statuses}
    assert len(common) >= 10
    assert common == {code: statuses[code] for code in common}
