"""Fixtures of the data tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from realframe.config import Limits, Params, resolve_params

# a busy machine must not fail a property test
settings.register_profile("data", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("data")


@pytest.fixture(scope="session")
def limits() -> Limits:
    return Limits(max_bytes=10**9, max_pixels=50_000_000, max_duration_s=600, timeout_s=60, max_memory_mb=2048)


@pytest.fixture(scope="session")
def params(root: Path) -> Params:
    return resolve_params(root / "params.yaml", root / "recipes").params


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
