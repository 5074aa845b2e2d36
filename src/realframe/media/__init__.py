"""Process media files: refuse hostile ones, probe, harmonize, decode, extract frames and clean them."""
