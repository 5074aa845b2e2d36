"""All caches together stay below one limit; the least recently used entries go, those in use stay."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from realframe.caching.eviction import hold_entries, record_added, record_use, trim_caches

_BLOCK = 4096
_HOUR = 3600.0


def _add(root: Path, name: str, age_s: float = 0, blocks: int = 1) -> Path:
    """Write an entry of a cache per item; a name that ends in / is a folder of two files."""
    path = root / name
    is_folder = name.endswith("/")
    for file in (path / "result.json", path / "frames.jpg") if is_folder else (path,):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * _BLOCK * blocks)
    used = time.time() - age_s
    os.utime(path, (used, used))
    return path


def test_the_least_recently_used_entries_of_all_caches_are_deleted(tmp_path: Path) -> None:
    old_frames = _add(tmp_path, "frames/key/aa/aa1.tar", 3 * _HOUR)
    new_frames = _add(tmp_path, "frames/key/aa/aa2.tar", 1 * _HOUR)
    old_result = _add(tmp_path, "results/key/bb/bb1/", 4 * _HOUR)
    new_result = _add(tmp_path, "results/key/bb/bb2/", 2 * _HOUR)
    weights = _add(tmp_path, "weights/net_notop.weights.h5", 5 * _HOUR)
    evidence = _add(tmp_path, "evidence/abc-def/", 6 * _HOUR)
    index = _add(tmp_path, "hashes.sqlite", 9 * _HOUR)

    assert trim_caches(tmp_path, 100 * _BLOCK) == 0
    record_use(evidence)
    record_use(weights)
    record_use(old_frames)
    assert trim_caches(tmp_path, 7 * _BLOCK) == 2 * _BLOCK

    assert [path.exists() for path in (old_result, new_result)] == [False, True]
    assert all(path.exists() for path in (old_frames, new_frames, weights, evidence, index))
    trim_caches(tmp_path, 5 * _BLOCK)
    assert [path.exists() for path in (new_result, new_frames, old_frames, weights, evidence)] == [False, True, True, True, True]


def test_a_folder_used_minutes_ago_stays(tmp_path: Path) -> None:
    result = _add(tmp_path, "results/key/aa/aa1/", 2 * _HOUR)
    record_use(result)
    assert trim_caches(tmp_path, 1) == 0
    assert (result / "frames.jpg").exists()


def test_held_entries_stay_until_their_user_ends(tmp_path: Path) -> None:
    mine, other = _add(tmp_path, "activations/mine/aa/aa1", _HOUR), _add(tmp_path, "activations/other/aa/aa1", _HOUR)
    descriptor = hold_entries(tmp_path / "activations" / "mine")
    trim_caches(tmp_path, 1)
    assert (mine.exists(), other.exists()) == (True, False)
    os.close(descriptor)
    trim_caches(tmp_path, 1)
    assert not mine.exists()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    entry = _add(tmp_path, "activations/key/aa/aa1", _HOUR)
    code = "import sys, time; from pathlib import Path; from realframe.caching.eviction import hold_entries\n"
    code += "hold_entries(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code, str(entry.parents[1])], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    assert trim_caches(tmp_path, 1) == 0
    process.kill()
    process.communicate()
    assert trim_caches(tmp_path, 1) > 0


def test_leftovers_of_killed_processes_and_of_old_code_are_deleted(tmp_path: Path) -> None:
    day = 25 * _HOUR
    leftover = _add(tmp_path, "frames/key/aa/.aa1.0123.tmp.tar", day)
    running = _add(tmp_path, "frames/key/aa/.aa2.4567.tmp.tar")
    old = _add(tmp_path, "frames/old/aa/aa1", 2 * day)
    trim_caches(tmp_path, 1)
    assert (leftover.exists(), running.exists(), old.exists()) == (False, True, False)
    for folder in (old.parent, old.parents[1]):
        os.utime(folder, (0, 0))
    trim_caches(tmp_path, 1)
    assert not old.parents[1].exists()


def test_a_process_trims_when_it_has_added_a_part_of_the_limit(tmp_path: Path) -> None:
    limit = 100 * _BLOCK
    for number in range(130):
        record_added(_add(tmp_path, f"frames/key/aa/{number}", _HOUR - number), tmp_path, limit)
        assert len(list((tmp_path / "frames" / "key" / "aa").iterdir())) <= 103
    assert not (tmp_path / "frames" / "key" / "aa" / "0").exists()
    assert (tmp_path / "frames" / "key" / "aa" / "129").exists()


def test_two_processes_do_not_trim_at_once(tmp_path: Path) -> None:
    from filelock import FileLock

    entry = _add(tmp_path, "frames/key/aa/aa1", _HOUR)
    with FileLock(tmp_path / ".trim.lock"):
        assert trim_caches(tmp_path, 1) == 0
    assert entry.exists()


@pytest.mark.parametrize("pattern", [r'cache_dir / ("?[\w-]+"?)', r'ItemCache\([^,]+, ("\w+")', r'^_NAMESPACE = (".*")'])
def test_every_cache_in_the_cache_folder_is_known(root: Path, pattern: str) -> None:
    """A new cache must be evicted too: one that is not flat has its entries below the folder of a key."""
    known = {
        '"frames"',
        '"gate-attempts"',
        '"clean"',
        '"harmonized"',
        '"facts"',
        '"results"',
        '"rescored"',
        '"activations"',
        '"weights"',
        "FOLDER",
    }
    sources = [*(root / "src").rglob("*.py"), *(root / "pipelines").glob("*.py")]
    found = {name for path in sources for name in re.findall(pattern, path.read_text(), re.MULTILINE)}
    assert found
    assert found - {"HASH_INDEX_FILE"} <= known
