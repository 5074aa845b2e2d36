"""Serve the web pages and the REST API."""
