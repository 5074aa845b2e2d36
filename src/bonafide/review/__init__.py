"""Who decided what about a model version, and why."""
