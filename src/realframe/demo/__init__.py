"""Render a labelled demo dataset and run the whole pipeline on it."""
