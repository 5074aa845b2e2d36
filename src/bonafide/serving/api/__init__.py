"""The API for programs, one module per resource; what it promises stands in ``/api/v1/openapi.json``."""

from bonafide.serving.api import detections, events, feedback, files, models, service

RESOURCES = (detections, events, feedback, files, models, service)
"""The modules whose routers make the API."""
