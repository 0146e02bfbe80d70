"""The frame of every HTTP service: problems, ids, guards, and one line and one observation per request."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, g, request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields
from marshmallow.validate import Range
from structlog.testing import capture_logs
from werkzeug.exceptions import NotAcceptable

from aro.contracts.problems import Conflict, RateLimited
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.metrics import exposition
from aro.runtime.web import (
    MAX_BODY_BYTES,
    MAX_URL_BYTES,
    PROBLEM_JSON,
    client_address,
    create_app,
    json_response,
    preferred,
    public,
)


class Body(Schema):
    name = fields.String(required=True)
    size = fields.Integer(load_default=1, validate=Range(1, 5))


class Query(Schema):
    limit = fields.Integer(load_default=10, validate=Range(1, 100))


def build() -> Flask:
    app = create_app("frame-test", health=Health(), verifier=None)
    blueprint = Blueprint("things", __name__)

    @blueprint.post("/things")
    @public
    @blueprint.arguments(Body)
    def make(body: dict[str, Any]) -> Response:
        return json_response(body, 201)

    @blueprint.get("/things/<name>")
    @public
    @blueprint.arguments(Query, location="query")
    def show(query: dict[str, Any], name: str) -> Response:
        return json_response({"name": name, **query})

    @blueprint.get("/guarded")
    def guarded() -> Response:
        raise AssertionError("nobody gets here without a token")

    @blueprint.get("/conflict")
    @public
    def conflict() -> Response:
        raise Conflict("there is one already")

    @blueprint.get("/throttled")
    @public
    def throttled() -> Response:
        raise RateLimited("slower", retry_after=7)

    @blueprint.get("/crash")
    @public
    def crash() -> Response:
        raise RuntimeError("mongodb://user:secret@host")

    @blueprint.get("/id")
    @public
    def request_id() -> Response:
        return json_response({"id": g.request_id, "args": request.args})

    app.register_blueprint(blueprint)
    return app


@pytest.fixture(scope="module")
def app() -> Flask:
    return build()


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    with app.test_client() as opened:
        yield opened


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.mimetype == PROBLEM_JSON
    body: dict[str, Any] = answer.get_json(force=True)
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"urn:option-aro:problem:{code}"
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["title"]
    return body


def test_our_errors_are_problems_with_their_code(client: FlaskClient) -> None:
    body = problem(client.get("/conflict"), 409, "conflict")
    assert (body["detail"], body["instance"]) == ("there is one already", "/conflict")
    answer = client.get("/throttled")
    problem(answer, 429, "rate_limited")
    assert answer.headers["Retry-After"] == "7"


def test_errors_of_the_framework_are_problems_too(client: FlaskClient) -> None:
    problem(client.get("/nowhere"), 404, "not_found")
    answer = client.delete("/things")
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    problem(client.post("/things", data=b"{", content_type="application/json"), 400, "bad_request")
    problem(client.post("/things", data=b"name=x"), 415, "unsupported_media_type")
    large = client.post("/things", data=b" " * (MAX_BODY_BYTES + 1), content_type="application/json")
    problem(large, 413, "request_entity_too_large")


def test_a_crash_tells_nothing_but_the_request_id(client: FlaskClient) -> None:
    with capture_logs() as logs:
        answer = client.get("/crash")
    problem(answer, 500, "internal_error")
    assert b"secret" not in answer.data
    assert next(event for event in logs if event["event"] == "request failed")["exc_info"]


def test_a_guarded_route_needs_a_token(client: FlaskClient) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}):
        answer = client.get("/guarded", headers=headers)
        problem(answer, 401, "token_missing")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_fields_that_do_not_fit_are_all_named(client: FlaskClient) -> None:
    body = problem(client.post("/things", json={"size": 9, "role": "admin"}), 422, "invalid_request")
    assert set(body["errors"]) == {"name", "size", "role"}
    body = problem(client.get("/things/a?limit=many&limits=5"), 422, "invalid_request")
    assert set(body["errors"]) == {"limit", "limits"}
    for whole in ("[]", "5", "null", '"text"'):
        answer = client.post("/things", data=whole, content_type="application/json")
        assert list(problem(answer, 422, "invalid_request")["errors"]) == ["body"]


def test_hostile_json_is_a_bad_request_and_no_crash(client: FlaskClient) -> None:
    for body in (b"[" * 60_000, b'{"name":"\\ud800"}', b'{"name":"\xff"}', b'{"size":NaN}', b""):
        answer = client.post("/things", data=body, content_type="application/json")
        problem(answer, 400, "bad_request")


@given(body=st.binary(max_size=200), content_type=st.sampled_from(["application/json", "text/plain", "", "x/y+json"]))
def test_no_body_makes_the_service_fail(app: Flask, body: bytes, content_type: str) -> None:
    answer = app.test_client().post("/things", data=body, content_type=content_type)
    assert answer.status_code in (201, 400, 415, 422)


@pytest.mark.parametrize(("given_", "kept"), [("abcdef-0123|NIFTY:5", True), ("short", False), ("a" * 81, False)])
def test_a_harmless_request_id_is_kept(client: FlaskClient, given_: str, kept: bool) -> None:
    answer = client.get("/id", headers={"X-Request-ID": given_})
    assert (answer.headers["X-Request-ID"] == given_) is kept
    assert answer.get_json()["id"] == answer.headers["X-Request-ID"]


def test_a_request_is_one_log_line_and_a_probe_is_none(client: FlaskClient) -> None:
    with capture_logs() as logs:
        client.get("/things/secret-name?limit=5")
        client.get("/livez")
    heard = [event for event in logs if event["log_level"] != "debug"]
    assert len(heard) == 1
    line = heard[0]
    assert line["event"] == "request"
    assert line["http.route"] == "/things/<name>"
    assert line["http.request.method"] == "GET"
    assert line["http.response.status_code"] == 200
    assert 0 <= line["duration_ms"] < 5_000
    assert "secret-name" not in str(line)


def test_clients_cannot_grow_the_metrics(client: FlaskClient) -> None:
    for number in range(30):
        client.open(f"/nowhere/{number}", method=f"INVENTED{number}")
    ours = [line for line in exposition().decode().splitlines() if 'service="frame-test"' in line]
    assert not any("INVENTED" in line or "nowhere" in line for line in ours)
    assert any('method="other"' in line and 'route="unmatched"' in line for line in ours)


def test_every_answer_says_not_to_sniff_nor_store(client: FlaskClient) -> None:
    for path in ("/livez", "/nowhere", "/conflict", "/things/a"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_health_routes_answer_and_health_is_readyz(client: FlaskClient) -> None:
    assert client.get("/livez").get_json() == {"status": "ok", "checks": {}}
    assert client.get("/readyz").get_json() == client.get("/health").get_json() == {"status": "ok", "checks": {}}
    assert b"http_request_duration_seconds" in client.get("/metrics").data


def test_head_is_answered_wherever_get_is(client: FlaskClient) -> None:
    for path in ("/livez", "/things/a", "/conflict", "/guarded", "/nowhere"):
        asked, got = client.head(path), client.get(path)
        assert (asked.status_code, asked.data) == (got.status_code, b"")
        assert asked.headers["Content-Type"] == got.headers["Content-Type"]


def test_a_token_is_asked_for_before_anything_else(client: FlaskClient) -> None:
    answer = client.get("/guarded", query_string="a" * MAX_URL_BYTES, data=b"{", content_type="application/json")
    problem(answer, 401, "token_missing")


def test_a_long_address_is_refused(client: FlaskClient) -> None:
    problem(client.get("/things/a", query_string="limit=5&" + "a" * MAX_URL_BYTES), 414, "request_uri_too_long")
    assert client.get("/things/" + "a" * 1_000).status_code == 200


def test_two_slashes_are_no_redirect(client: FlaskClient) -> None:
    for path in ("/things//a", "/things/a/", "//livez"):
        problem(client.get(path, base_url="http://localhost/"), 404, "not_found")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
    ],
)
def test_the_caller_chooses_among_what_is_offered(app: Flask, accept: str | None, chosen: str) -> None:
    with app.test_request_context(headers={"Accept": accept} if accept else {}):
        assert preferred("application/json", "text/csv") == chosen


def test_what_is_not_offered_is_not_acceptable(app: Flask) -> None:
    with app.test_request_context(headers={"Accept": "text/html"}), pytest.raises(NotAcceptable):
        preferred("application/json", "text/csv")


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("10.1.2.3", "198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "192.0.2.1, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.1.2.3", "10.0.0.7", "10.0.0.7"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.7, unknown", "10.1.2.3"),
        ("10.1.2.3", "unknown, 198.51.100.7", "198.51.100.7"),
        ("::ffff:10.1.2.3", "2001:db8::7", "2001:db8::7"),
        ("fd00::1", "198.51.100.7", "198.51.100.7"),
    ],
)
def test_only_a_trusted_proxy_is_believed(peer: str, forwarded: str, seen: str) -> None:
    app = create_app("proxied", health=Health(), verifier=None, trusted_proxies=("10.0.0.0/8", "fd00::/8"))
    with app.test_request_context(headers={"X-Forwarded-For": forwarded}, environ_base={"REMOTE_ADDR": peer}):
        assert client_address() == seen


def test_without_trusted_proxies_the_peer_is_who_it_is(app: Flask) -> None:
    with app.test_request_context(headers={"X-Forwarded-For": "192.0.2.1"}, environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert client_address() == "127.0.0.1"


def test_a_network_that_is_none_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        create_app("proxied", health=Health(), verifier=None, trusted_proxies=("10.0.0.1/8",))
