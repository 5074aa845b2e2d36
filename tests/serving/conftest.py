"""Fixtures of the tests of the web application."""

from tests.own_state import embedded_uri, settings, store, three_versions

__all__ = ["embedded_uri", "settings", "store", "three_versions"]
