"""Prepare results for people: words, numbers, drawings and rows, the same for page, HTML report, command line and scripts."""
