"""What the pages are made of: words, rows and drawings of an answer."""
