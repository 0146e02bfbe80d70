"""The page as the gateway serves it: whole, packed, kept by browsers as long as is right, and never a silent 404."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from api_gateway.dashboard import content_security
from aro.testing.door import Door
from aro.testing.page import SCRIPT, write_page
from aro.testing.servers import RedisServer

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SOCKETS = "http://127.0.0.1:8010"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(Path(tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def door(folder: Path, tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Door]:
    settings = {"ARO_PAGE_DIR": str(folder), "ARO_PUBLIC_SOCKET_URL": SOCKETS}
    running = Door(Path(tmp_path_factory.mktemp("door")), redis_server, settings)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def asked(door: Door, path: str, **headers: str) -> requests.Response:
    return requests.get(door.url + path, headers={**HTML, **headers}, timeout=5)


def test_a_browser_gets_the_page_and_a_program_the_way(door: Door, folder: Path) -> None:
    page = asked(door, "/")
    assert (page.status_code, page.content) == (200, (folder / "index.html").read_bytes())
    assert page.headers["Content-Type"].startswith("text/html")
    assert {"Accept", "Accept-Encoding"} <= set(re.split(r",\s*", page.headers["Vary"]))
    program = requests.get(door.url, timeout=5)
    assert program.json()["openapi"] == "/openapi.json"
    assert "Accept" in program.headers["Vary"]


def test_the_page_is_asked_for_every_time_and_its_parts_once(door: Door) -> None:
    page, part = asked(door, "/"), asked(door, f"/assets/{SCRIPT}")
    assert page.headers["Cache-Control"] == "no-cache"
    assert part.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for answer, path in ((page, "/"), (part, f"/assets/{SCRIPT}")):
        again = asked(door, path, **{"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", f"/assets/{SCRIPT}"])
def test_it_is_sent_as_small_as_the_browser_takes_it(door: Door, path: str) -> None:
    answers = {coding: asked(door, path, **{"Accept-Encoding": coding}) for coding in ("br, gzip", "gzip", "identity")}
    codings = [answer.headers.get("Content-Encoding") for answer in answers.values()]
    assert codings == ["br", "gzip", None]
    assert len({answer.content for answer in answers.values()}) == 1
    assert len({answer.headers["ETag"] for answer in answers.values()}) == 3


def test_nothing_runs_on_the_page_but_its_own_files(door: Door) -> None:
    policy = asked(door, "/").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["default-src"] == rules["frame-ancestors"] == "'none'"
    assert rules["connect-src"].split() == ["'self'", SOCKETS, "ws://127.0.0.1:8010"]
    assert "unsafe" not in policy
    assert rules["require-trusted-types-for"] == "'script'"


def test_the_policy_of_sockets_at_the_same_origin_names_no_other() -> None:
    assert "connect-src 'self';" in content_security(None)
    assert "wss://aro.example.com" in content_security("https://aro.example.com")


def test_it_says_where_sockets_are(door: Door) -> None:
    answer = asked(door, "/config.json")
    assert answer.json() == {"socket_url": SOCKETS}
    assert answer.headers["Cache-Control"] == "no-cache"


def test_no_name_becomes_a_path_of_the_page(door: Door) -> None:
    for name in ("..%2Findex.html", "index.html", f"{SCRIPT}.br", "%2e%2e", "nothing.js"):
        answer = asked(door, f"/assets/{name}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM), name


def test_a_new_build_is_served_at_once_and_a_lost_one_is_a_503(door: Door, folder: Path) -> None:
    newer = b"<!doctype html><title>newer</title>"
    before = asked(door, "/")
    for stale in folder.glob("index.html*"):
        stale.unlink()
    lost = asked(door, "/")
    assert (lost.status_code, lost.headers["Content-Type"], lost.json()["code"]) == (
        503,
        PROBLEM,
        "service_unavailable",
    )
    assert "/docs" in lost.json()["detail"]
    (folder / "index.html").write_bytes(newer)
    after = asked(door, "/", **{"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.content) == (200, newer)
    write_page(folder)
    assert asked(door, "/").content == before.content


def test_a_gateway_without_a_page_says_so(gateway: Door) -> None:
    for path in ("/", f"/assets/{SCRIPT}"):
        answer = requests.get(gateway.url + path, headers=HTML, timeout=5)
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert "ARO_PAGE_DIR" in answer.json()["detail"]
    assert requests.get(f"{gateway.url}/config.json", timeout=5).json() == {"socket_url": None}
    assert requests.get(gateway.url, timeout=5).status_code == 200
