"""Fixtures of this folder."""

from tests.state_fixtures import embedded_uri, empty_registry, settings, store, three_versions

__all__ = ["embedded_uri", "empty_registry", "settings", "store", "three_versions"]
