"""What the tests of this folder share."""

from tests.own_state import embedded_uri, settings, store

__all__ = ["embedded_uri", "settings", "store"]
