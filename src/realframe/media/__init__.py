"""Read media files: probe, decode, extract frames, clean them."""
