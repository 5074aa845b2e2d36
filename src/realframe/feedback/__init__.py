"""Collect people's labels of files and accept those that people agree on."""
