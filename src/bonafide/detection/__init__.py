"""A file in, a verdict out."""
