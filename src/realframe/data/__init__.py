"""Build the dataset: ingest, catalog, shortcut audit, balance, split, batches."""
