"""Bytes to frames: probe, sample, extract, clean."""
