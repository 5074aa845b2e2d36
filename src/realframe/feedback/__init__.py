"""Collect people's labels of files, and accept the files on whose label they agree."""
