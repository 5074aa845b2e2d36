"""Cache computed files by content, and digest the code that computes them."""
