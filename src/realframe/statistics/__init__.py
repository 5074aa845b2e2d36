"""Compute metrics, confidence intervals and hypothesis tests: arrays in, numbers out."""
