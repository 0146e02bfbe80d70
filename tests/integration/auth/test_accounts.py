"""Accounts over HTTP, against a real gunicorn and a real database."""

import json
import statistics
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.testing.services import HttpService

PASSWORD = "correct horse"
NAMES = {"issuer": "option-aro-auth", "audience": "option-aro"}


def fresh_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def post(auth: HttpService, route: str, body: Any, **options: Any) -> requests.Response:
    return requests.post(f"{auth.url}/api/v1/auth/{route}", json=body, timeout=10, **options)


def me(auth: HttpService, token: str) -> requests.Response:
    return requests.get(f"{auth.url}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def test_register_login_me(auth: HttpService) -> None:
    email = fresh_email()
    registered = post(auth, "register", {"email": f" {email.upper()} ", "password": PASSWORD})
    assert registered.status_code == 201
    account = registered.json()
    assert (account["email"], account["role"], account["verified"]) == (email, "user", False)
    assert "password" not in registered.text

    login = post(auth, "login", {"email": email.title(), "password": PASSWORD})
    assert login.status_code == 200
    assert login.headers["Cache-Control"] == "no-store"
    answer = login.json()
    assert set(answer) == {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
    assert answer["refresh_expires_in"] == 7 * 24 * 3_600

    seen = me(auth, answer["access_token"])
    assert seen.status_code == 200
    assert seen.json() == account


def test_others_verify_the_token_with_the_published_key(auth: HttpService) -> None:
    email = fresh_email()
    account = post(auth, "register", {"email": email, "password": PASSWORD}).json()
    token = post(auth, "login", {"email": email, "password": PASSWORD}).json()["access_token"]
    url = f"{auth.url}/.well-known/jwks.json"
    answer = requests.get(url, timeout=5)
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    current, coming = answer.json()["keys"]
    for entry in (current, coming):
        assert set(entry) == {"kty", "crv", "x", "kid", "use", "alg"}
        assert len(JwksKeys(url, clock=ManualClock(0)).find(entry["kid"]).public_bytes_raw()) == 32  # type: ignore[union-attr]
    assert jwt.get_unverified_header(token)["kid"] == current["kid"]
    principal = TokenVerifier(JwksKeys(url, clock=SystemClock()), **NAMES).verify(token)
    assert (principal.subject, principal.role) == (account["id"], "user")


def test_an_account_is_made_once(auth: HttpService) -> None:
    email = fresh_email()
    assert post(auth, "register", {"email": email, "password": PASSWORD}).status_code == 201
    again = post(auth, "register", {"email": email.upper(), "password": "another horse"})
    assert again.status_code == 409
    assert again.json()["code"] == "conflict"
    assert post(auth, "login", {"email": email, "password": "another horse"}).status_code == 401


def test_fifty_at_once_make_exactly_one_account(auth: HttpService) -> None:
    body = {"email": fresh_email(), "password": PASSWORD}
    with ThreadPoolExecutor(50) as pool:
        statuses = Counter(pool.map(lambda _: post(auth, "register", body).status_code, range(50)))
    assert statuses == {201: 1, 409: 49}
    assert post(auth, "login", body).status_code == 200


def test_a_wrong_password_and_an_unknown_account_are_the_same_answer(auth: HttpService) -> None:
    email = fresh_email()
    post(auth, "register", {"email": email, "password": PASSWORD})

    def refused(address: str) -> tuple[dict[str, Any], float]:
        started = time.perf_counter()
        answer = post(auth, "login", {"email": address, "password": "wrong horse"})
        seconds = time.perf_counter() - started
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        return {name: value for name, value in answer.json().items() if name != "request_id"}, seconds

    wrong = [refused(email) for _ in range(7)]
    unknown = [refused(fresh_email()) for _ in range(7)]
    assert wrong[0][0] == unknown[0][0]
    assert wrong[0][0]["code"] == "bad_credentials"
    # A look-up without a hash would take a twentieth; wide, because other things run on this machine.
    ratio = statistics.median(s for _, s in unknown) / statistics.median(s for _, s in wrong)
    assert 0.4 < ratio < 2.5


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"email", "password"}),
        ({"email": "x@example.com"}, {"password"}),
        ({"email": "x", "password": PASSWORD}, {"email"}),
        ({"email": "x@example.com", "password": "short"}, {"password"}),
        ({"email": "x@example.com", "password": "password1"}, {"password"}),
        ({"email": "xavier.x@example.com", "password": "Xavier.X@example.com"}, {"password"}),
        ({"email": "x@example.com", "password": PASSWORD, "role": "admin"}, {"role"}),
        ({"email": {"$gt": ""}, "password": {"$ne": 1}}, {"email", "password"}),
        ({"email": None, "password": 5}, {"email", "password"}),
        ([], {"body"}),
    ],
)
def test_a_registration_that_does_not_fit_names_its_fields(auth: HttpService, body: Any, fields: set[str]) -> None:
    answer = post(auth, "register", body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json()["errors"]) == fields


def test_a_login_does_not_take_operators_nor_unknown_fields(auth: HttpService) -> None:
    assert post(auth, "login", {"email": {"$gt": ""}, "password": {"$gt": ""}}).status_code == 422
    assert post(auth, "login", {"email": "a", "password": "b", "role": "admin"}).status_code == 422
    assert post(auth, "login", {"email": "", "password": ""}).status_code == 401
    assert post(auth, "login", {"email": "a\u0000", "password": "x" * 60_000}).status_code == 401


def test_unicode_passwords_log_in_from_any_keyboard(auth: HttpService) -> None:
    email = fresh_email()
    assert post(auth, "register", {"email": email, "password": "Ångström ½ naïve"}).status_code == 201
    assert post(auth, "login", {"email": email, "password": "A\u030angström ½ nai\u0308ve"}).status_code == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(route=st.sampled_from(["register", "login"]), body=json_values | st.fixed_dictionaries({"email": json_values}))
@settings(max_examples=60, deadline=None)
def test_no_body_makes_it_fail(auth: HttpService, route: str, body: Any) -> None:
    # As text, because a lone surrogate is a thing that clients can write and the client library cannot encode.
    answer = requests.post(
        f"{auth.url}/api/v1/auth/{route}",
        data=json.dumps(body),
        headers={"Content-Type": "application/json"},
        timeout=5,
    )
    assert answer.status_code in (400, 401, 422)


def test_the_log_tells_no_secret(auth: HttpService) -> None:
    email, password = fresh_email(), f"secret {uuid.uuid4().hex}"
    post(auth, "register", {"email": email, "password": password})
    login = post(auth, "login", {"email": email, "password": password}, headers={"X-Request-ID": "find-me-0001"})
    me(auth, login.json()["access_token"])
    written = auth.output()
    for secret in (password, login.json()["access_token"], email):
        assert secret not in written
    events = [json.loads(line) for line in written.splitlines() if "find-me-0001" in line]
    assert {event["trace.id"] for event in events} == {"find-me-0001"}
    assert {event.get("event.action") for event in events} == {"authn_login_success", None}
    [line] = [event for event in events if event["message"] == "request"]
    assert (line["http.route"], line["http.response.status_code"]) == ("/api/v1/auth/login", 200)
