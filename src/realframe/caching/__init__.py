"""Content-addressed caches of what was computed for one media item."""
