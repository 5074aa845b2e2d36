"""Do the doors agree? Every file of a folder by ``realframe detect`` and by the REST API, and the difference.

``make agree ARGS=FOLDER`` uses the champion of this checkout (or of REALFRAME_ROOT); without a folder the field data (REALFRAME_FIELD_DATA).
Nothing comes from the answers kept before. It ends with status 1 where a verdict differs, or a probability by more than 1e-5.
"""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from bench.sandbox import field_data
from bench.service import serving
from realframe.detection.batch import files_in
from realframe.settings import Settings, get_settings
from realframe.store import accounts, api_keys
from realframe.store.repository import Store, open_store

LARGEST = 1e-5
_BATCH = "a92ee00000000000"


def main() -> int:
    """Score the folder twice and print how far the answers lie apart."""
    settings, folder = get_settings(), Path(sys.argv[1]) if len(sys.argv) > 1 else field_data()
    files = files_in([folder])
    command = _by_command(folder)
    service = _by_service(files, settings)
    return _compare(files, command, service)


def _by_command(folder: Path) -> dict[str, dict[str, Any]]:
    call = [sys.executable, "-m", "realframe", "detect", "--anew", "--no-store", "--json", str(folder)]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    return {answer["file"]: answer for answer in json.loads(done.stdout)}


def _by_service(files: list[Path], settings: Settings) -> dict[str, dict[str, Any]]:
    with (
        open_store(settings) as store,
        _key(store) as key,
        serving(settings, REALFRAME_UPLOADS_PER_MINUTE="100000") as url,
        httpx.Client(base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {key}"}, timeout=120) as api,
    ):
        handed_in = {str(file): _hand_in(api, file) for file in tqdm(files, "hand in", unit="file")}
        return {file: _answer(api, detection_id) for file, detection_id in tqdm(handed_in.items(), "score", unit="file")}


@contextmanager
def _key(store: Store) -> Iterator[str]:
    """Give an API key of an account that is there for the while."""
    name = f"agree-{secrets.token_hex(4)}"
    accounts.add(store, name, "analyst", secrets.token_urlsafe(12))
    try:
        yield api_keys.add(store, name, "analyst", name)
    finally:
        api_keys.remove(store, name)
        accounts.remove(store, name)


def _hand_in(api: httpx.Client, file: Path) -> str:
    with file.open("rb") as stream:
        answer = api.post("detections", params={"batch": _BATCH}, files={"file": (file.name, stream)})
    return str(answer.raise_for_status().json()["detection_id"])


def _answer(api: httpx.Client, detection_id: str) -> dict[str, Any]:
    while (record := api.get(f"detections/{detection_id}").raise_for_status().json())["state"] != "done":
        time.sleep(0.5)
    api.delete(f"detections/{detection_id}").raise_for_status()
    answer: dict[str, Any] = record["answer"]
    return answer


def _compare(files: list[Path], command: dict[str, dict[str, Any]], service: dict[str, dict[str, Any]]) -> int:
    pairs = [(command[str(file)], service[str(file)]) for file in files]
    other = [one["file"] for one, two in pairs if (one["verdict"], one["code"]) != (two["verdict"], two["code"])]
    apart = [abs(one["probability"] - two["probability"]) for one, two in pairs if one["probability"] is not None and not other]
    print(f"{len(files)} files, {len(apart)} of them scored; the largest difference of a probability is {max(apart, default=0.0):.1e}")
    print(f"other verdicts: {', '.join(other) or 'none'}")
    return int(bool(other) or max(apart, default=0.0) > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
