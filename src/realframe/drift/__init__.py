"""Watch whether the champion's inputs differ from its training data."""
