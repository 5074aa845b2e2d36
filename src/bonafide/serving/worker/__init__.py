"""The process that scores what was handed in."""
