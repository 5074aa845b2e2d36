"""The page of the REST API: it shows every route, tries them out with the session, and loads nothing from another host."""

from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage


def test_the_api_page_lists_the_routes_and_tries_them_out(open_page: OpenPage) -> None:
    page = open_page("/")
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc) if request.url.startswith("http") else None)
    page.get_by_role("link", name="API", exact=True).click()
    operation = page.locator("#operations-models-list_models_api_v1_models_get, .opblock-get").filter(has_text="/api/v1/models").first
    expect(operation).to_be_visible()
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert hosts == {urlsplit(page.url).netloc}


def test_a_request_that_changes_something_is_made_with_the_session(open_page: OpenPage, console_errors: list[str]) -> None:
    page = open_page("/api-docs")
    operation = page.locator(".opblock-delete").filter(has_text="/api/v1/detections/{detection_id}").first
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_placeholder("detection_id").fill("0" * 32)
    with page.expect_response(lambda response: response.request.method == "DELETE") as answer:
        operation.get_by_role("button", name="Execute").click()
    assert answer.value.status == 404  # not 403, as without the CSRF token
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("404")
    assert len(console_errors) == 1 and "404" in console_errors.pop()
