"""Score a folder or a bucket as a sharded job."""
