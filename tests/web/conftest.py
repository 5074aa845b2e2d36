"""Fixtures of the tests of the web application."""

import pytest

from realframe.store import accounts
from tests.state_fixtures import embedded_uri, settings, store, three_versions

__all__ = ["embedded_uri", "settings", "store", "three_versions"]


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords with a low cost, since the tests create many accounts."""
    monkeypatch.setattr(accounts, "_N", 2)
