"""Frames to a dataset: catalogue, shortcut facts, balance, split, batches."""
