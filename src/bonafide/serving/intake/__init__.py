"""How a file comes in: read piece by piece, bounded, and kept before it is accepted."""
