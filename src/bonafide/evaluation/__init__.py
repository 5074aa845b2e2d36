"""What a detector is worth, with intervals."""
