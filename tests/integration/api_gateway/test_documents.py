"""The merged document and its page, as a browser and a program meet them."""

from typing import Any

import requests

from aro.testing.door import Door
from aro.testing.eventually import eventually

DOCUMENT = "/openapi.json"


def part(path: str, tag: str) -> dict[str, Any]:
    operation = {"operationId": tag, "tags": [tag], "responses": {"200": {"description": "yes"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": tag, "version": "1"},
        "tags": [{"name": tag}],
        "paths": {path: {"get": operation}, "/livez": {"get": operation}},
        "components": {"schemas": {}, "responses": {}},
    }


def paths(gateway: Door) -> set[str]:
    return set(requests.get(gateway.url + DOCUMENT, timeout=5).json()["paths"])


def test_parts_come_as_services_do_and_stay_when_they_go(gateway: Door) -> None:
    assert requests.get(f"{gateway.url}/readyz", timeout=5).status_code == 200
    assert "/docs" in paths(gateway)
    gateway.upstreams["analytics"].answer(DOCUMENT, part("/api/v1/analytics/{product}/pcr", "analytics"))
    eventually(lambda: "/api/v1/analytics/{product}/pcr" in paths(gateway), "the part of analytics")
    gateway.upstreams["storage"].answer(DOCUMENT, part("/api/v1/products", "products"))
    eventually(lambda: "/api/v1/products" in paths(gateway), "the part of storage")
    gateway.upstreams["analytics"].answer(DOCUMENT, {}, status=503)
    whole = requests.get(gateway.url + DOCUMENT, timeout=5)
    document = whole.json()
    responses = document["paths"]["/api/v1/products"]["get"]["responses"]
    assert {"200", "429", "502", "503", "504"} <= set(responses)
    assert "/api/v1/analytics/{product}/pcr" in document["paths"]
    assert not any("{rest}" in path for path in document["paths"])
    assert document["servers"] == [{"url": "/"}]
    again = requests.get(gateway.url + DOCUMENT, headers={"If-None-Match": whole.headers["ETag"]}, timeout=5)
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_is_whole_without_the_internet(gateway: Door) -> None:
    page = requests.get(f"{gateway.url}/docs", timeout=5)
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "<script>" not in page.text
    assert "//" not in page.text.replace("<!doctype", ""), "nothing from another host"
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "docs.css", "docs.js", "favicon-32x32.png"):
        assert f"/docs/assets/{name}" in page.text or name == "docs.css"
        asset = requests.get(f"{gateway.url}/docs/assets/{name}", timeout=5)
        assert asset.status_code == 200
        assert asset.content
        etag = {"If-None-Match": asset.headers["ETag"]}
        assert requests.get(f"{gateway.url}/docs/assets/{name}", headers=etag, timeout=5).status_code == 304
    plain = requests.get(f"{gateway.url}/docs/assets/docs.js", headers={"Accept-Encoding": "identity"}, timeout=5)
    assert "Content-Encoding" not in plain.headers


def test_no_name_becomes_a_path(gateway: Door) -> None:
    for name in ("docs.html", "..%2Fapp.py", "swagger-ui.js", ".."):
        assert requests.get(f"{gateway.url}/docs/assets/{name}", timeout=5).status_code == 404


def test_the_root_says_where_things_are(gateway: Door) -> None:
    assert requests.get(gateway.url, timeout=5).json()["openapi"] == DOCUMENT
    assert requests.get(gateway.url, headers={"Accept": "*/*"}, timeout=5).json()["docs"] == "/docs"
