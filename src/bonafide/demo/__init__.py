"""A labelled set rendered without downloads, to see the pipeline run."""
