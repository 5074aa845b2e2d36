"""Check that ``realframe detect`` and the REST API agree: score every file of a folder with both and compare the results.

``make agree ARGS=FOLDER`` uses the champion of this checkout (or of REALFRAME_ROOT); the default folder is the field data
(REALFRAME_FIELD_DATA). Cached results are not used. The exit status is 1 if a verdict differs, or a probability by more than 1e-5.
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

from bench.field_sandbox import field_data_folder
from bench.service import serving
from realframe.cli.detect_run import list_media_files
from realframe.settings import Settings, get_settings
from realframe.store import accounts, api_keys
from realframe.store.repository import Store, open_store

MAX_DIFFERENCE = 1e-5
_BATCH = "a92ee00000000000"


def main() -> int:
    """Score the folder twice and print the differences."""
    settings, folder = get_settings(), Path(sys.argv[1]) if len(sys.argv) > 1 else field_data_folder()
    files = list_media_files([folder])
    command = _by_command(folder)
    service = _by_service(files, settings)
    return compare_results(files, command, service)


def _by_command(folder: Path) -> dict[str, dict[str, Any]]:
    call = [sys.executable, "-m", "realframe", "detect", "--no-cache", "--no-store", "--json", str(folder)]
    process = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    return {result["file"]: result for result in json.loads(process.stdout)}


def _by_service(files: list[Path], settings: Settings) -> dict[str, dict[str, Any]]:
    with (
        open_store(settings) as store,
        _key(store) as key,
        serving(settings, REALFRAME_UPLOADS_PER_MINUTE="100000") as url,
        httpx.Client(base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {key}"}, timeout=120) as api,
    ):
        uploads = {str(file): _upload(api, file) for file in tqdm(files, "upload", unit="file")}
        return {file: _wait_for_result(api, detection_id) for file, detection_id in tqdm(uploads.items(), "score", unit="file")}


@contextmanager
def _key(store: Store) -> Iterator[str]:
    """Yield an API key of a temporary account."""
    name = f"agree-{secrets.token_hex(4)}"
    accounts.add_account(store, name, "analyst", secrets.token_urlsafe(12))
    try:
        yield api_keys.add_key(store, name, "analyst", name)
    finally:
        api_keys.remove_key(store, name)
        accounts.remove_account(store, name)


def _upload(api: httpx.Client, file: Path) -> str:
    with file.open("rb") as stream:
        response = api.post("detections", params={"batch": _BATCH}, files={"file": (file.name, stream)})
    return str(response.raise_for_status().json()["detection_id"])


def _wait_for_result(api: httpx.Client, detection_id: str) -> dict[str, Any]:
    while (record := api.get(f"detections/{detection_id}").raise_for_status().json())["state"] != "done":
        time.sleep(0.5)
    api.delete(f"detections/{detection_id}").raise_for_status()
    result: dict[str, Any] = record["result"]
    return result


def compare_results(files: list[Path], command_results: dict[str, dict[str, Any]], service_results: dict[str, dict[str, Any]]) -> int:
    """Print how many files both scored, the largest difference, and the files whose verdict differs; return the exit status."""
    pairs = [(command_results[str(file)], service_results[str(file)]) for file in files]
    different = [local["file"] for local, remote in pairs if (local["verdict"], local["code"]) != (remote["verdict"], remote["code"])]
    probabilities = [(local["probability"], remote["probability"]) for local, remote in pairs]
    gaps = [abs(local - remote) for local, remote in probabilities if local is not None and remote is not None]
    largest = max(gaps, default=0.0)
    print(f"{len(files)} files, {len(gaps)} of them scored by both; the largest difference of a probability is {largest:.1e}")
    print(f"files with different verdicts: {', '.join(different) or 'none'}")
    return int(bool(different) or largest > MAX_DIFFERENCE)


if __name__ == "__main__":
    sys.exit(main())
