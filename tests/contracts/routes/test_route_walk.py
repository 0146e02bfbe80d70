"""Every route of every service is guarded, or on the list of public ones; a guarded one takes no token but a good one.

The routes come from the documents that the services make of them: `test_documents` proves that none is missing there.
"""

import re
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
import requests

from aro.adapters.tokens import ALL_SCOPES
from aro.testing.eventually import eventually
from aro.testing.forgery import forgeries
from aro.testing.page import SCRIPT

OPERATIONS: Final = {"GET /livez", "GET /readyz", "GET /health", "GET /openapi.json"}
METRICS: Final = {"GET /metrics"}
ACCOUNTS: Final = {
    "GET /.well-known/jwks.json",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
}
PAGES: Final = {"GET /", "GET /assets/{file}", "GET /config.json", "GET /docs", "GET /docs/assets/{name}"}
PUBLIC: Final = {
    "auth": {*OPERATIONS, *METRICS, *ACCOUNTS},
    "storage": {*OPERATIONS, *METRICS},
    "analytics": {*OPERATIONS, *METRICS},
    "logging": {*OPERATIONS, *METRICS},
    # The public port shows no metrics.
    "api-gateway": {*OPERATIONS, *ACCOUNTS, *PAGES},
}
ADMIN: Final = {
    "GET /api/v1/auth/users",
    "GET /api/v1/auth/users/{user_id}",
    "PATCH /api/v1/auth/users/{user_id}",
    "GET /api/v1/auth/invitations",
    "POST /api/v1/auth/invitations",
    "DELETE /api/v1/auth/invitations/{invitation_id}",
    "GET /api/v1/logs",
    "GET /api/v1/logs/tail",
    "GET /api/v1/logs/services",
}
PERSONAL: Final = {"POST /api/v1/auth/tokens/exchange"}
"""Takes a personal token, and no access token."""
REVOKING: Final = {"auth", "analytics", "logging", "api-gateway"}
"""Storage has no Redis, and is asked by the gateway only."""
SERVICES: Final = sorted(PUBLIC)
VALUES: Final = {"product": "NIFTY", "symbol": "NIFTY", "name": "docs.js", "file": SCRIPT}


class Route(NamedTuple):
    method: str
    path: str
    operation: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def example(self) -> str:
        """The path with something in the place of its parameters."""
        return re.sub(r"\{(\w+)\}", lambda match: VALUES.get(match[1], "0" * 32), self.path)

    @property
    def is_public(self) -> bool:
        return self.operation["security"] == []


def routes(document: dict[str, Any]) -> list[Route]:
    return [
        Route(method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def guarded(document: dict[str, Any]) -> Iterator[Route]:
    return (route for route in routes(document) if not route.is_public and str(route) not in PERSONAL)


def asked(session: requests.Session, url: str, route: Route, token: str | None, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return session.request(route.method, url + route.example, headers=headers, timeout=10, stream=True, **options)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


@pytest.mark.parametrize("name", SERVICES)
def test_every_route_is_guarded_or_listed(name: str, estate: Any) -> None:
    found = routes(estate.documents[name])
    assert {str(route) for route in found if route.is_public} == PUBLIC[name]
    assert {str(route) for route in found if route.operation.get("x-roles") == ["admin"]} <= ADMIN
    assert any(not route.is_public for route in found)


def test_the_gateway_has_every_route_of_the_services(estate: Any) -> None:
    behind = {
        str(route)
        for name in SERVICES
        if name != "api-gateway"
        for route in routes(estate.documents[name])
        if route.path.startswith("/api/") or route.path.startswith("/.well-known/")
    }
    assert behind <= {str(route) for route in routes(estate.documents["api-gateway"])}


@pytest.mark.parametrize("name", SERVICES)
def test_a_public_route_asks_for_no_token(name: str, estate: Any, session: requests.Session) -> None:
    for route in routes(estate.documents[name]):
        if route.is_public:
            answer = asked(session, estate.url(name), route, None, json={} if route.method == "POST" else None)
            assert answer.status_code in (200, 422), str(route)
            answer.close()


@pytest.mark.parametrize("name", SERVICES)
def test_a_guarded_route_takes_no_forged_token(name: str, estate: Any, session: requests.Session) -> None:
    names = {"issuer": "option-aro-auth", "audience": "option-aro"}
    refused = {"no token": (None, "token_missing"), **forgeries(estate.key.private, estate.key.kid, **names)}
    for route in guarded(estate.documents[name]):
        for what, (token, code) in refused.items():
            # What else is wrong with the request is nobody's business before that.
            answer = asked(session, estate.url(name), route, token, data=b"{", params={"unknown": "1"})
            assert (answer.status_code, answer.json()["code"]) == (401, code), (str(route), what)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", SERVICES)
def test_a_token_belongs_into_its_header(name: str, estate: Any, session: requests.Session) -> None:
    token = estate.login(estate.user)
    for route in guarded(estate.documents[name]):
        for parameter in ("token", "access_token", "jwt"):
            answer = asked(
                session, estate.url(name), route, None, params={parameter: token}, cookies={parameter: token}
            )
            assert answer.status_code == 401, str(route)


@pytest.mark.parametrize("name", SERVICES)
def test_other_methods_are_405(name: str, estate: Any, session: requests.Session) -> None:
    headers = {"Authorization": f"Bearer {estate.login(estate.admin)}"}
    paths = {route.path: route for route in routes(estate.documents[name])}
    for path, route in paths.items():
        known = {item.method for item in routes(estate.documents[name]) if item.path == path}
        for method in {"POST", "PUT", "PATCH", "DELETE"} - known:
            answer = session.request(method, estate.url(name) + route.example, headers=headers, timeout=10)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), (method, path)
            assert known <= {item.strip() for item in answer.headers["Allow"].split(",")}


@pytest.mark.parametrize("name", SERVICES)
def test_an_unknown_path_is_404_for_everybody(name: str, estate: Any, session: requests.Session) -> None:
    token = estate.login(estate.user)
    for path in ("/nowhere", "/api/v1/nowhere", "/api/v2/products", "/api//v1", "/livez/", "/%00", "/livez/../api"):
        for headers in ({}, {"Authorization": f"Bearer {token}"}, {"Authorization": "Bearer forged"}):
            answer = session.get(f"{estate.url(name)}{path}", headers=headers, timeout=10)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


@pytest.mark.parametrize("name", SERVICES)
def test_each_route_takes_its_own_scope_only(name: str, estate: Any, session: requests.Session) -> None:
    full = estate.login(estate.admin)
    for route in guarded(estate.documents[name]):
        needed = route.operation["x-scope"]
        token = estate.reissue(full, scopes=ALL_SCOPES - {needed})
        answer = asked(session, estate.url(name), route, token, data=b"{")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), str(route)


@pytest.mark.parametrize("name", SERVICES)
def test_an_admin_route_is_403_to_users(name: str, estate: Any, session: requests.Session) -> None:
    token = estate.login(estate.user)
    for route in guarded(estate.documents[name]):
        if route.operation["x-roles"] == ["admin"]:
            answer = asked(session, estate.url(name), route, token)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), str(route)


@pytest.mark.parametrize("name", sorted(REVOKING))
def test_a_session_that_ended_is_refused_within_a_second(name: str, estate: Any, session: requests.Session) -> None:
    token = estate.login(estate.user)
    route = next(route for route in guarded(estate.documents[name]) if route.method == "GET")
    before = asked(session, estate.url(name), route, token)
    before.close()
    assert before.status_code != 401
    assert estate.post("auth", "/api/v1/auth/logout", {}, token).status_code == 204
    started = time.monotonic()

    def refused() -> bool:
        answer = asked(session, estate.url(name), route, token)
        answer.close()
        return answer.status_code == 401 and answer.headers["WWW-Authenticate"] == 'Bearer error="token_revoked"'

    eventually(refused, f"{name} to refuse it", seconds=3)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("name", SERVICES)
def test_head_is_answered_like_get(name: str, estate: Any, session: requests.Session) -> None:
    token = estate.login(estate.admin)
    for route in routes(estate.documents[name]):
        if route.method == "GET":
            got = asked(session, estate.url(name), route, token)
            got.close()
            head = asked(session, estate.url(name), route._replace(method="HEAD"), token)
            assert (head.status_code, head.content) == (got.status_code, b""), str(route)
            assert head.headers["Content-Type"] == got.headers["Content-Type"], str(route)


def test_hundreds_of_unknown_kids_are_answered_without_asking_auth(estate: Any, session: requests.Session) -> None:
    names = {"issuer": "option-aro-auth", "audience": "option-aro"}
    forged = forgeries(estate.key.private, estate.key.kid, **names)["unknown kid"][0]
    started = time.perf_counter()
    for _ in range(100):
        answer = session.get(
            f"{estate.url('storage')}/api/v1/products", headers={"Authorization": f"Bearer {forged}"}, timeout=5
        )
        assert answer.status_code == 401
    assert time.perf_counter() - started < 5
