"""Score the files of a folder or a bucket in shards, and write one table of verdicts."""
