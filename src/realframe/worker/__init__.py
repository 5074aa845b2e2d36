"""Score uploaded files in processes of their own."""
