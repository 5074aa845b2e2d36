"""Fixtures of this folder."""

from tests.state_fixtures import embedded_uri

__all__ = ["embedded_uri"]
