"""What a file says of its own origin: evidence of another sort, never mixed into the detector's score."""
