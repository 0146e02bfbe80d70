"""CORS, security headers and settings: nothing here needs a server."""

from collections.abc import Iterable
from typing import Any

import pytest

from api_gateway.app import verify
from api_gateway.cors import Cors
from api_gateway.edge import Edge
from api_gateway.limits import Limits, Quota
from api_gateway.memory import Memory
from api_gateway.settings import ApiGatewaySettings
from aro.adapters.clock import ManualClock
from aro.runtime.origins import parse_origin
from aro.runtime.settings import SettingsError, load

PAGE = "https://app.example.com"
ENVIRON = {
    **{f"ARO_{name}_URL": "http://127.0.0.1:1" for name in ("AUTH", "STORAGE", "ANALYTICS", "LOGGING")},
    "ARO_REDIS_URL": "redis://127.0.0.1:1",
    "ARO_JWKS_URL": "http://127.0.0.1:1/.well-known/jwks.json",
    "ARO_PORT": "8000",
    "ARO_OPERATIONS_PORT": "9105",
}


class NoLedger:
    def draw(self, *_: object) -> int | None:
        return None


def edge(*, origins: Iterable[str] = (), per_address: int = 100, hsts: int = 0) -> Edge:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Security-Policy", "mine")])
        return [b"inside"]

    clock = ManualClock(0)
    limits = Limits(Quota("user", 10, NoLedger(), clock), Quota("address", per_address, NoLedger(), clock))
    return Edge(app, limits=limits, cors=Cors(origins), hsts_seconds=hsts)


def ask(app: Edge, method: str = "GET", path: str = "/x", **environ: str) -> tuple[str, dict[str, str], bytes]:
    answer: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
        answer.update(status=status, headers=headers)

    given = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1", **environ}
    body = b"".join(app(given, start))
    names = [name for name, _ in answer["headers"]]
    assert len(set(names)) == len(names), "no header twice"
    return answer["status"], dict(answer["headers"]), body


def preflight(app: Edge, origin: str) -> tuple[str, dict[str, str], bytes]:
    return ask(app, "OPTIONS", HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET")


def test_every_answer_has_security_headers_and_none_is_overwritten() -> None:
    _, headers, _ = ask(edge(hsts=31_536_000))
    assert headers["Content-Security-Policy"] == "mine"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "Strict-Transport-Security" not in ask(edge())[1]
    assert len(headers["X-Request-ID"]) == 16


def test_a_harmless_request_id_is_kept_and_another_replaced() -> None:
    assert ask(edge(), HTTP_X_REQUEST_ID="NIFTY|2026-12-29|1")[1]["X-Request-ID"] == "NIFTY|2026-12-29|1"
    assert ask(edge(), HTTP_X_REQUEST_ID="evil\r\nX: y")[1]["X-Request-ID"] != "evil\r\nX: y"


def test_without_origins_no_page_is_let_in() -> None:
    app = edge()
    assert preflight(app, PAGE)[0] == "200 OK"  # not ours to answer: the frame does
    assert not any(name.startswith("Access-Control") for name in ask(app, HTTP_ORIGIN=PAGE)[1])


def test_a_listed_page_is_let_in_and_no_other() -> None:
    app = edge(origins=[PAGE])
    status, headers, body = preflight(app, PAGE)
    assert (status, body) == ("204 No Content", b"")
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in headers
    for other in ("https://evil.example.com", f"{PAGE}.evil.com", "null", "http://app.example.com", ""):
        assert "Access-Control-Allow-Origin" not in preflight(app, other)[1]
        answer = ask(app, HTTP_ORIGIN=other)[1]
        assert "Access-Control-Allow-Origin" not in answer
        assert answer["Vary"] == "Origin"
    assert ask(app, HTTP_ORIGIN=PAGE)[1]["Access-Control-Allow-Origin"] == PAGE
    assert "ETag" in ask(app, HTTP_ORIGIN=PAGE)[1]["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "text", ["*", "https://*.example.com", "https://a.com/", "a.com", "ftp://a.com", "HTTPS://A.com"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        parse_origin(text)


def test_an_address_over_its_limit_is_told_so_and_probes_are_not_counted() -> None:
    app = edge(per_address=2)
    assert [ask(app)[1]["RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]
    status, headers, body = ask(app)
    assert status == "429 Too Many Requests"
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Retry-After"] == headers["RateLimit-Reset"]
    assert b'"code":"rate_limited"' in body
    assert headers["X-Request-ID"].encode() in body
    assert ask(app, REMOTE_ADDR="192.0.2.2")[0] == "200 OK"
    assert ask(app, path="/livez")[0] == "200 OK"
    assert ask(app, "HEAD")[2] == b""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARO_AUTH_URL", "127.0.0.1:8020"),
        ("ARO_STORAGE_URL", "http://127.0.0.1:8030/api"),
        ("ARO_TRUSTED_PROXIES", "10.0.0.0/8, everybody"),
        ("ARO_CORS_ORIGINS", "https://a.com, *"),
        ("ARO_PAGE_DIR", "/nowhere"),
        ("ARO_PUBLIC_SOCKET_URL", "ws://127.0.0.1:8010"),
    ],
)
def test_it_refuses_to_start_with_nonsense(variable: str, value: str) -> None:
    verify(load(ApiGatewaySettings, ENVIRON))
    with pytest.raises(SettingsError):
        verify(load(ApiGatewaySettings, {**ENVIRON, variable: value}))


def test_memory_keeps_what_is_used_and_forgets_the_rest() -> None:
    memory: Memory[int, str] = Memory(10)
    memory.put(0, "used")
    for number in range(1, 100):
        memory.put(number, str(number))
        assert memory.get(0) == "used"
        assert len(memory) <= 10
    assert memory.get(1) is None
    memory.forget(0)
    assert memory.get(0) is None
