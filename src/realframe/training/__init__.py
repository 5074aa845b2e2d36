"""Train a detector: two-phase schedule, clip heads, hyperparameter search."""
