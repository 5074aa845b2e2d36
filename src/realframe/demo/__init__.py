"""Render a labeled demo dataset and run the whole pipeline on it."""
