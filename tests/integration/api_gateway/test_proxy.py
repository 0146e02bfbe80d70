"""What arrives at a service, and what comes back, over real sockets."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from aro.testing.door import EXCHANGE, Door
from aro.testing.echo import CHUNK
from aro.testing.eventually import eventually
from aro.testing.forgery import forgeries

PERSONAL = "aro_pat_" + "p" * 43


def problem(answer: requests.Response, status: int, code: str) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, str] = answer.json()
    assert (body["code"], body["status"]) == (code, status)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def is_well(gateway: Door) -> None:
    """Its failures are forgiven, whatever a test did to it."""
    eventually(lambda: gateway.get("/api/v1/analytics/NIFTY/pcr").status_code == 200, "the circuit to be closed")


def test_a_request_arrives_whole_and_its_answer_comes_back(gateway: Door) -> None:
    answer = gateway.get(
        "/api/v1/chains/NIFTY/history?from=2026-12-29T09:15%2B05:30&fields=iv,delta&limit=5",
        headers={"Accept": "text/csv", "If-None-Match": '"abc"', "X-Request-ID": "an-id-of-mine", "Cookie": "a=b"},
    )
    seen = answer.json()
    assert seen["method"] == "GET"
    assert seen["path"] == "/api/v1/chains/NIFTY/history"
    assert seen["query"] == "from=2026-12-29T09:15%2B05:30&fields=iv,delta&limit=5"
    assert seen["headers"]["Accept"] == "text/csv"
    assert seen["headers"]["If-None-Match"] == '"abc"'
    assert seen["headers"]["X-Request-ID"] == answer.headers["X-Request-ID"] == "an-id-of-mine"
    assert seen["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert "Cookie" not in seen["headers"]
    assert answer.headers["X-Echo"] == "yes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert int(answer.headers["RateLimit-Remaining"]) < int(answer.headers["RateLimit-Limit"]) == 100_000


def test_the_connection_is_kept(gateway: Door) -> None:
    with requests.Session() as session:
        headers = gateway.bearer()
        answers = [session.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: gateway.get("/api/v1/products"), range(20)))


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/auth/me", "auth"),
        ("/api/v1/products", "storage"),
        ("/api/v1/ticks/NIFTY/history", "storage"),
        ("/api/v1/analytics/NIFTY/pcr", "analytics"),
        ("/api/v1/ohlc/NIFTY", "analytics"),
        ("/api/v1/alerts", "analytics"),
        ("/api/v1/logs/levels", "logging"),
    ],
)
def test_each_path_goes_to_its_service(gateway: Door, path: str, service: str) -> None:
    before = gateway.upstreams[service].requests(path)
    headers = gateway.bearer("admin", "admin")
    assert requests.get(gateway.url + path, headers=headers, timeout=5).status_code == 200
    eventually(lambda: gateway.upstreams[service].requests(path) == before + 1, "the service to see it")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_bodies_and_methods_go_on(gateway: Door, method: str) -> None:
    url = f"{gateway.url}/api/v1/alerts/one"
    seen = requests.request(method, url, json={"level": 1}, headers=gateway.bearer(), timeout=5).json()
    assert (seen["method"], json.loads(seen["body"])) == (method, {"level": 1})
    assert seen["headers"]["Content-Type"] == "application/json"


def test_head_has_the_headers_and_no_body(gateway: Door) -> None:
    for path in ("/api/v1/products", "/api/v1/products?size=3000000", "/api/v1/products?chunks=3"):
        answer = requests.head(gateway.url + path, headers=gateway.bearer(), timeout=5)
        assert (answer.status_code, answer.content) == (200, b"")
    assert requests.head(f"{gateway.url}/api/v1/products?size=5000", headers=gateway.bearer(), timeout=5).headers[
        "Content-Length"
    ] == str(5000)
    # No slot was left behind.
    assert gateway.get("/api/v1/products").status_code == 200


@pytest.mark.parametrize("status", [204, 304, 400, 404, 409, 422, 500, 503])
def test_a_status_of_the_service_is_the_answers(gateway: Door, status: int) -> None:
    answer = gateway.get(f"/api/v1/products?status={status}{'&size=0' if status in (204, 304) else ''}")
    assert answer.status_code == status


@pytest.mark.parametrize(
    "path", ["/api/v1/products/a%20b%2Fc%3Fd", "/api/v1/products/caf%C3%A9", "/api/v1/products/a//b"]
)
def test_odd_paths_arrive_as_they_were_routed(gateway: Door, path: str) -> None:
    request = requests.Request("GET", gateway.url, headers=gateway.bearer()).prepare()
    request.url = gateway.url + path
    with requests.Session() as session:
        seen = session.send(request, timeout=5).json()["path"]
    assert requests.utils.unquote(seen) == requests.utils.unquote(path)


def test_what_is_large_comes_in_pieces(gateway: Door) -> None:
    answer = gateway.get("/api/v1/products?chunks=300", stream=True)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == CHUNK * 300
    whole = gateway.get("/api/v1/products?size=3000000")
    assert whole.headers["Content-Length"] == "3000000"
    assert whole.content == b"x" * 3_000_000


def test_the_first_pieces_are_there_before_the_last(gateway: Door) -> None:
    started = time.monotonic()
    answer = gateway.get("/api/v1/products?chunks=20&pause=0.2", stream=True)
    next(answer.iter_content(100))
    assert time.monotonic() - started < 2
    answer.close()


def test_an_answer_that_breaks_off_does_not_look_whole(gateway: Door) -> None:
    with gateway.get("/api/v1/products?chunks=5&break=1", stream=True) as answer:
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = answer.content


def test_a_service_that_hangs_up_or_talks_nonsense_is_a_problem(gateway: Door) -> None:
    before = gateway.upstreams["analytics"].requests("/api/v1/analytics/cut")
    answer = gateway.get("/api/v1/analytics/cut?cut=1")
    problem(answer, 503, "service_unavailable")
    assert answer.headers["Retry-After"] == "2"
    # A read is tried twice, a write once.
    assert gateway.upstreams["analytics"].requests("/api/v1/analytics/cut") == before + 2
    url = f"{gateway.url}/api/v1/analytics/cut?cut=1"
    problem(requests.post(url, json={}, headers=gateway.bearer(), timeout=5), 503, "service_unavailable")
    assert gateway.upstreams["analytics"].requests("/api/v1/analytics/cut") == before + 3
    problem(gateway.get("/api/v1/analytics/x?garbage=1"), 502, "bad_gateway")
    is_well(gateway)


def test_what_the_gateway_refuses_itself_is_a_problem_too(gateway: Door) -> None:
    headers = gateway.bearer()
    problem(requests.get(f"{gateway.url}/api/v2/products", timeout=5), 404, "not_found")
    problem(requests.put(f"{gateway.url}/docs", timeout=5), 405, "method_not_allowed")
    problem(requests.get(f"{gateway.url}/metrics", timeout=5), 404, "not_found")
    large = requests.post(f"{gateway.url}/api/v1/alerts", data=b"x" * 70_000, headers=headers, timeout=5)
    problem(large, 413, "request_entity_too_large")
    problem(gateway.get(f"/api/v1/products?x={'y' * 4_500}"), 414, "request_uri_too_long")
    for path in ("/api/v1/logs", "/api/v1/logs/tail", "/api/v1/auth/users", "/api/v1/auth/invitations/one"):
        problem(requests.get(gateway.url + path, headers=headers, timeout=5), 403, "forbidden")


def test_guarded_routes_take_no_forged_token(gateway: Door) -> None:
    names = {"issuer": "option-aro-auth", "audience": "option-aro"}
    for token, code in forgeries(gateway.key, "kid", **names).values():
        answer = requests.get(f"{gateway.url}/api/v1/products", headers={"Authorization": f"Bearer {token}"}, timeout=5)
        problem(answer, 401, code)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    problem(requests.get(f"{gateway.url}/api/v1/products", timeout=5), 401, "token_missing")
    assert requests.post(f"{gateway.url}/api/v1/auth/login", json={}, timeout=5).status_code == 200


def test_an_ended_session_is_refused_within_a_second(gateway: Door) -> None:
    headers = gateway.bearer(session="to-be-ended")
    assert requests.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5).status_code == 200
    gateway.end("to-be-ended")

    def refused() -> bool:
        return requests.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5).status_code == 401

    eventually(refused, "the session to be over", seconds=1)
    answer = requests.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5)
    problem(answer, 401, "token_revoked")


def test_services_never_see_a_personal_token(gateway: Door) -> None:
    access = gateway.token("owner", session="a-pat")
    gateway.upstreams["auth"].answer(EXCHANGE, {"access_token": access, "token_type": "Bearer", "expires_in": 300})
    headers = {"Authorization": f"Bearer {PERSONAL}"}
    asked = gateway.upstreams["auth"].requests(EXCHANGE)
    for _ in range(5):
        seen = requests.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5).json()
        assert seen["headers"]["Authorization"] == f"Bearer {access}"
    assert gateway.upstreams["auth"].requests(EXCHANGE) == asked + 1
    gateway.end("a-pat")

    def refused() -> bool:
        return requests.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5).status_code == 401

    eventually(refused, "the personal token to be refused", seconds=1)


def test_a_personal_token_that_auth_refuses_is_refused_with_its_words(gateway: Door) -> None:
    refusal = {"code": "token_expired", "detail": "this personal token has expired"}
    gateway.upstreams["auth"].answer(EXCHANGE, refusal, status=401)
    headers = {"Authorization": f"Bearer {PERSONAL}2"}
    body = problem(requests.get(f"{gateway.url}/api/v1/products", headers=headers, timeout=5), 401, "token_expired")
    assert body["detail"] == "this personal token has expired"


def test_the_exchange_itself_is_open_and_gets_the_personal_token(gateway: Door) -> None:
    gateway.upstreams["auth"].answers.pop(EXCHANGE, None)
    gateway.upstreams["auth"].answer("/unused", {})
    headers = {"Authorization": f"Bearer {PERSONAL}"}
    seen = requests.post(gateway.url + EXCHANGE, headers=headers, timeout=5).json()
    assert seen["headers"]["Authorization"] == f"Bearer {PERSONAL}"


def test_a_tail_flows_holds_no_slot_for_calls_and_ends_with_its_session(gateway: Door) -> None:
    url = f"{gateway.url}/api/v1/logs/tail?events=1"
    admin = gateway.bearer("admin", "admin", session="watching")

    def opened() -> requests.Response | None:
        # A place of a test before may not be free yet.
        tail = requests.get(url, headers=admin, stream=True, timeout=5)
        if tail.status_code == 200:
            return tail
        tail.close()
        return None

    tails = [tail for _ in range(4) if (tail := eventually(opened, "a place"))]
    assert tails[0].headers["Content-Type"] == "text/event-stream"
    lines = tails[0].iter_lines()
    assert [next(lines), next(lines), next(lines)] == [b"data: 0", b"", b"data: 1"]
    busy = requests.get(url, headers=admin, timeout=5)
    problem(busy, 503, "service_unavailable")
    assert busy.headers["Retry-After"] == "1"
    assert requests.get(f"{gateway.url}/api/v1/logs", headers=admin, timeout=5).status_code == 200
    ended = threading.Event()

    def follow() -> None:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(lines)
        ended.set()

    following = threading.Thread(target=follow)
    following.start()
    gateway.end("watching")
    assert ended.wait(2)
    following.join()
    for tail in tails:
        tail.close()

    def open_again() -> bool:
        other = gateway.bearer("admin", "admin", session="another")
        with requests.get(url, headers=other, stream=True, timeout=5) as tail:
            return tail.status_code == 200

    eventually(open_again, "the places to be free")


def test_a_client_that_leaves_a_tail_frees_its_place(gateway: Door) -> None:
    headers = gateway.bearer("admin", "admin", session="leaving")
    for _ in range(12):

        def opened() -> bool:
            with requests.get(
                f"{gateway.url}/api/v1/logs/tail?events=1", headers=headers, stream=True, timeout=5
            ) as tail:
                return tail.status_code == 200

        eventually(opened, "a place")


def test_connections_that_say_nothing_hold_up_nobody(gateway: Door) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port)), timeout=5) for _ in range(100)]
    started = time.monotonic()
    assert gateway.get("/api/v1/products").status_code == 200
    assert time.monotonic() - started < 1
    for connection in silent:
        connection.close()


def test_metrics_are_on_the_other_port(gateway: Door) -> None:
    gateway.get("/api/v1/products")
    gateway.get("/api/v1/analytics/x?cut=1")
    is_well(gateway)
    series = gateway.metrics()
    assert series['circuit_state{upstream="storage"}'] == 0
    assert series['upstream_request_seconds_count{upstream="storage"}'] > 0
    assert series['upstream_failures_total{reason="reset",upstream="analytics"}'] > 0
    assert any(name.startswith("http_request_duration_seconds_count{") for name in series)
    assert series['quota_draws_total{source="redis"}'] > 0
