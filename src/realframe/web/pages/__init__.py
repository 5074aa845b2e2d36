"""The web pages, one module per area of the site.

To add a page: write a module with a router here and list the router in ``ROUTERS``, add its template to ``web/templates``, and add a link
to ``web/templates/base.html``.
"""

from realframe.web.pages import api_page, data_page, detection_page, history_page, review_page, sign_in_page, upload_page, versions_page

ROUTERS = (
    sign_in_page.router,
    upload_page.router,
    detection_page.router,
    detection_page.shared_router,
    history_page.router,
    versions_page.router,
    review_page.router,
    data_page.router,
    api_page.router,
)
"""Every router of pages, in the order in which routes are matched."""
