"""Tell AI-generated images and videos from real ones."""
