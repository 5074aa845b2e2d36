"""Read what a file states about its own origin."""
