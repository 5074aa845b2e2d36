"""The REST API, one module per resource; ``/api/v1/openapi.json`` documents it."""

from realframe.web.api import detection_routes, status_routes

ROUTERS = (detection_routes.router, status_routes.models_router, status_routes.service_router)
"""Every router of the API, in the order in which routes are matched."""
