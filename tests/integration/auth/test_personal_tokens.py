"""Personal access tokens: made by their owner, shown once, exchanged for little, revoked at once."""

import time
from typing import Any

import jwt
import pytest
import requests

from aro.adapters.clock import SystemClock
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.testing.services import HttpService


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def make(api: Any, token: str, **body: Any) -> Any:
    return api.post("/tokens", {"name": "notebook", **body}, token)


def exchange(api: Any, personal: str) -> Any:
    return api.post("/tokens/exchange", token=personal)


def test_a_personal_token_reads_and_nothing_else(api: Any, storage_process: HttpService) -> None:
    person = api.person()
    token = person.token()
    made = make(api, token)
    assert made.status_code == 201
    personal = made.json()
    assert set(personal) == {"token", "id", "name", "scopes", "created_at", "expires_at"}
    assert personal["token"].startswith("aro_pat_")
    assert len(personal["token"]) == len("aro_pat_") + 43
    assert (personal["scopes"], personal["expires_at"]) == (["read"], None)

    exchanged = exchange(api, personal["token"])
    assert exchanged.status_code == 200
    assert exchanged.headers["Cache-Control"] == "no-store"
    answer = exchanged.json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 300, "read")
    access = answer["access_token"]
    keys = JwksKeys(f"{api.service.url}/.well-known/jwks.json", clock=SystemClock())
    principal = TokenVerifier(keys, issuer="option-aro-auth", audience="option-aro").verify(access)
    assert (principal.subject, principal.session, principal.scopes) == (person.id, personal["id"], frozenset({"read"}))
    assert principal.expires_at <= time.time() + 300

    headers = {"Authorization": f"Bearer {access}"}
    assert requests.get(f"{storage_process.url}/api/v1/products", headers=headers, timeout=5).status_code == 200
    assert api.get("/me", access).json()["id"] == person.id
    for method, path in (("GET", "/tokens"), ("POST", "/tokens"), ("GET", "/sessions"), ("POST", "/logout-all")):
        assert code(api.ask(method, path, access, json={"name": "more"} if method == "POST" else None)) == (
            403,
            "forbidden",
        )


def test_it_is_listed_without_its_text_and_with_its_last_use(api: Any) -> None:
    token = api.person().token()
    first = make(api, token, name="old").json()
    second = make(api, token, name="new", scopes=["write", "read"], expires_in_days=30).json()
    listed = api.get("/tokens", token)
    assert first["token"] not in listed.text
    items = listed.json()["items"]
    assert [(item["name"], item["scopes"], item["last_used_at"]) for item in items] == [
        ("new", ["read", "write"], None),
        ("old", ["read"], None),
    ]
    assert items[0]["expires_at"][:10] == time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
    assert exchange(api, second["token"]).json()["scope"] == "read write"
    assert api.get("/tokens", token).json()["items"][0]["last_used_at"] is not None


def test_a_revoked_one_is_refused_with_what_it_was_exchanged_for(api: Any) -> None:
    person, other = api.person(), api.person()
    token = person.token()
    personal = make(api, token).json()
    access = exchange(api, personal["token"]).json()["access_token"]
    assert code(api.delete(f"/tokens/{personal['id']}", other.token())) == (404, "not_found")
    assert api.get("/me", access).status_code == 200
    assert api.delete(f"/tokens/{personal['id']}", token).status_code == 204
    assert code(exchange(api, personal["token"])) == (401, "token_revoked")
    assert code(api.get("/me", access)) == (401, "token_revoked")
    assert code(api.delete(f"/tokens/{personal['id']}", token)) == (404, "not_found")
    assert api.get("/tokens", token).json()["items"] == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": ""}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"name": 7}, {"name"}),
        ({"scopes": []}, {"scopes"}),
        ({"scopes": ["account"]}, {"scopes"}),
        ({"scopes": ["everything"]}, {"scopes"}),
        ({"scopes": "read"}, {"scopes"}),
        ({"expires_in_days": 0}, {"expires_in_days"}),
        ({"expires_in_days": 366}, {"expires_in_days"}),
        ({"expires_in_days": 1.5}, {"expires_in_days"}),
        ({"user_id": "somebody"}, {"user_id"}),
    ],
)
def test_what_does_not_fit_is_named(api: Any, body: dict[str, Any], fields: set[str]) -> None:
    answer = make(api, api.person().token(), **body)
    assert answer.status_code == 422
    assert {name.split(".")[0] for name in answer.json()["errors"]} == fields


@pytest.mark.parametrize(
    ("authorization", "problem"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("Bearer ", "token_missing"),
        ("Basic YTpi", "token_missing"),
        ("Bearer aro_pat_" + "A" * 43, "token_invalid"),
        ("Bearer aro_pat_", "token_invalid"),
        ("Bearer x", "token_invalid"),
    ],
)
def test_what_is_no_personal_token_is_not_exchanged(api: Any, authorization: str | None, problem: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = api.post("/tokens/exchange", headers=headers)
    assert code(answer) == (401, problem)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_access_token_is_not_exchanged(api: Any) -> None:
    assert code(exchange(api, api.person().token())) == (401, "token_invalid")


def test_there_are_so_many_per_account(make_inside: Any) -> None:
    api = make_inside({"ARO_PERSONAL_TOKENS_PER_USER": "2"})
    token = api.person().token()
    first = make(api, token).json()
    assert make(api, token).status_code == 201
    assert code(make(api, token)) == (409, "conflict")
    api.delete(f"/tokens/{first['id']}", token)
    assert make(api, token).status_code == 201


def test_the_scope_admin_needs_the_role_and_goes_with_it(make_inside: Any) -> None:
    api = make_inside()
    boss, person = api.administrator(), api.person()
    boss_token = boss.token()
    assert code(make(api, person.token(), scopes=["admin"])) == (403, "forbidden")
    api.patch(f"/users/{person.id}", {"role": "admin"}, boss_token)
    token = person.token()
    admin_pat = make(api, token, scopes=["read", "admin"]).json()["token"]
    plain_pat = make(api, token).json()["token"]
    access = exchange(api, admin_pat).json()["access_token"]
    assert jwt.decode(access, options={"verify_signature": False})["role"] == "admin"
    assert api.get("/users", access).status_code == 200
    assert code(api.get("/users", exchange(api, plain_pat).json()["access_token"])) == (403, "forbidden")

    api.patch(f"/users/{person.id}", {"role": "user"}, boss_token)
    assert code(api.get("/users", access)) == (401, "token_revoked")
    assert code(exchange(api, admin_pat)) == (401, "token_revoked")
    assert code(api.get("/me", token)) == (401, "token_revoked")
    assert exchange(api, plain_pat).status_code == 200
