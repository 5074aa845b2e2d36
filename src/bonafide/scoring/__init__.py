"""Many files, one after another: a folder or a bucket in, a table of verdicts out."""
