"""Read what a file states about its origin: content credentials and embedded metadata."""
