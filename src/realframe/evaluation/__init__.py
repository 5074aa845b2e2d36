"""Score items and compute the evaluation figures of a detector."""
