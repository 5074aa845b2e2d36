"""Score uploaded files in a process of its own."""
