"""Every route of auth and storage is guarded, or on the list of public ones; a guarded one takes no forged token."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from flask import Flask

from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tokens import TokenIssuer
from aro.runtime.preparation import Preparation
from aro.runtime.settings import load
from aro.testing.forgery import forgeries
from aro.testing.services import HttpService
from auth_service import app as auth_app
from auth_service.keys import SigningKey, load_or_create
from auth_service.settings import AuthSettings
from storage_service import app as storage_app
from storage_service.settings import StorageSettings

NAMES = {"issuer": "option-aro-auth", "audience": "option-aro"}
OPERATIONS = {"/livez", "/readyz", "/health", "/metrics"}
PUBLIC = {
    "auth": {*OPERATIONS, "/.well-known/jwks.json", "/api/v1/auth/register", "/api/v1/auth/login"},
    "storage": OPERATIONS,
}
GUARDED = {
    "auth": {"/api/v1/auth/me"},
    "storage": {
        "/api/v1/products",
        "/api/v1/products/<product>/expiries",
        "/api/v1/chains/<product>",
        "/api/v1/chains/<product>/history",
        "/api/v1/chains/<product>/metrics",
        "/api/v1/chains/<product>/metrics/history",
        "/api/v1/ticks/<product>/history",
    },
}


@dataclass(frozen=True)
class Running:
    url: dict[str, str]
    key: SigningKey


@pytest.fixture
def running(auth_process: HttpService, storage_process: HttpService) -> Running:
    key = load_or_create(Path(auth_process.settings["ARO_AUTH_KEY_DIR"]))
    return Running({"auth": auth_process.url, "storage": storage_process.url}, key)


def built(name: str, database: MongoDatabase, directory: Path) -> Flask:
    environ = {"ARO_MONGO_URL": "unused", "ARO_PORT": "1", "ARO_AUTH_KEY_DIR": str(directory), "ARO_JWKS_URL": "unused"}
    never = Preparation(lambda: None, retry_on=ValueError)
    if name == "auth":
        return auth_app.build(load(AuthSettings, environ), load_or_create(directory / "keys"), database, never)
    return storage_app.build(load(StorageSettings, environ), database, never)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_route_is_guarded_or_listed(name: str, database: MongoDatabase, tmp_path: Path) -> None:
    app = built(name, database, tmp_path)
    public, guarded = set(), set()
    for rule in app.url_map.iter_rules():
        (public if getattr(app.view_functions[rule.endpoint], "is_public", False) else guarded).add(rule.rule)
    assert public == PUBLIC[name]
    assert guarded == GUARDED[name]


@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_route_takes_no_forged_token(name: str, running: Running) -> None:
    refused = {"no token": ("", "token_missing")} | forgeries(running.key.private, running.key.kid, **NAMES)
    with requests.Session() as session:
        for rule in GUARDED[name]:
            url = running.url[name] + rule.replace("<product>", "NIFTY")
            for what, (token, code) in refused.items():
                answer = session.get(url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=5)
                assert (answer.status_code, answer.json()["code"]) == (401, code), (rule, what)
                assert answer.headers["Content-Type"] == "application/problem+json"
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert session.request(method, url, timeout=5).status_code == 405
            assert session.options(url, timeout=5).status_code == 401
            assert session.head(url, timeout=5).status_code == 401


@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_route_takes_a_token_of_ours(name: str, running: Running) -> None:
    issuer = TokenIssuer(running.key.private, running.key.kid, clock=SystemClock(), **NAMES)
    headers = {"Authorization": f"Bearer {issuer.issue('nobody-in-particular', 'user')}"}
    for rule in GUARDED[name]:
        answer = requests.get(running.url[name] + rule.replace("<product>", "NIFTY"), headers=headers, timeout=5)
        if name == "storage":
            assert answer.status_code in (200, 404), rule
        else:
            # The token is sound, and its account does not exist (any more).
            assert answer.json()["detail"].startswith("the account of this access token")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_route_asks_for_no_token(name: str, running: Running) -> None:
    for rule in PUBLIC[name]:
        method = "POST" if rule.startswith("/api/") else "GET"
        answer = requests.request(method, running.url[name] + rule, json={} if method == "POST" else None, timeout=5)
        assert answer.status_code in (200, 422), rule


@pytest.mark.parametrize("name", PUBLIC)
def test_a_token_in_the_query_string_is_no_token(name: str, running: Running) -> None:
    issuer = TokenIssuer(running.key.private, running.key.kid, clock=SystemClock(), **NAMES)
    token = issuer.issue("somebody", "user")
    for rule in GUARDED[name]:
        url = running.url[name] + rule.replace("<product>", "NIFTY")
        for parameter in ("token", "access_token", "jwt"):
            assert requests.get(url, params={parameter: token}, timeout=5).status_code == 401


def test_hundreds_of_unknown_kids_are_answered_without_asking_auth(running: Running) -> None:
    forged = forgeries(running.key.private, running.key.kid, **NAMES)["unknown kid"][0]
    url = f"{running.url['storage']}/api/v1/products"
    with requests.Session() as session:
        started = time.perf_counter()
        for _ in range(100):
            assert session.get(url, headers={"Authorization": f"Bearer {forged}"}, timeout=5).status_code == 401
        assert time.perf_counter() - started < 5
