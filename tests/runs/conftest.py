"""What the tests of this folder share."""

from tests.own_state import embedded_uri

__all__ = ["embedded_uri"]
