"""Fixtures of the load test."""

from tests.state_fixtures import embedded_uri, settings, three_versions

__all__ = ["embedded_uri", "settings", "three_versions"]
