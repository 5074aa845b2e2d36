"""Fixtures of the store tests."""

from tests.state_fixtures import embedded_uri, settings, store

__all__ = ["embedded_uri", "settings", "store"]
