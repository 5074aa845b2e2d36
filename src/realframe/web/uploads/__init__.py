"""Receive uploaded files within limits."""
