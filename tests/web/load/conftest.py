"""Fixtures of the load test."""

from tests.own_state import embedded_uri, settings, three_versions

__all__ = ["embedded_uri", "settings", "three_versions"]
