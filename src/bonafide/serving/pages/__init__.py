"""The pages, one module per place that a visitor goes to."""

from bonafide.serving.pages import batches, check, data, detections, history, lineage, review, shared, sign_in, versions

PAGES = (sign_in, check, detections, history, batches, shared, versions, review, data, lineage)
"""Every module with a router of pages."""
