"""Access the metadata store (MongoDB's protocol): documents, queries, lineage, queue."""
