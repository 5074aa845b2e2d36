"""Authenticate users, API keys and share links."""
