"""What the tests of this folder share."""

from tests.own_state import embedded_uri, empty_registry, settings, store, three_versions

__all__ = ["embedded_uri", "empty_registry", "settings", "store", "three_versions"]
