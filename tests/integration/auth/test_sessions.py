"""Sessions over HTTP: refreshed, listed, ended, and never somebody else's."""

import json
from typing import Any

import jwt
import pytest

from aro.testing.eventually import eventually


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_refresh_gives_the_next_pair_of_the_same_session(api: Any) -> None:
    person = api.person()
    first = person.pair()
    second = api.refresh(first["refresh_token"])
    assert second.status_code == 200
    assert second.headers["Cache-Control"] == "no-store"
    tokens = second.json()
    assert set(tokens) == set(first)
    assert tokens["refresh_token"] != first["refresh_token"]
    assert claims(tokens["access_token"])["sid"] == claims(first["access_token"])["sid"]
    assert claims(tokens["access_token"])["jti"] != claims(first["access_token"])["jti"]
    assert claims(tokens["access_token"])["scope"] == "account admin read write"
    # The access token of before is good until it expires: the session goes on.
    for token in (first, tokens):
        assert api.get("/me", token["access_token"]).json()["email"] == person.email


def test_a_refresh_token_asked_twice_at_once_has_one_successor(api: Any) -> None:
    first = api.person().pair()["refresh_token"]
    answers = [api.refresh(first).json()["refresh_token"] for _ in range(3)]
    assert len(set(answers)) == 1
    assert api.refresh(answers[0]).status_code == 200


def test_a_refresh_token_of_long_ago_ends_the_session(api: Any, auth: Any) -> None:
    person = api.person()
    other = person.pair()
    first = person.pair()
    second = api.refresh(first["refresh_token"]).json()
    third = api.refresh(second["refresh_token"]).json()
    assert code(api.refresh(first["refresh_token"])) == (401, "token_revoked")
    for tokens in (second, third):
        assert code(api.refresh(tokens["refresh_token"])) == (401, "token_revoked")
    assert code(api.get("/me", third["access_token"])) == (401, "token_revoked")
    # Nobody else's, and no other session of the account.
    assert api.refresh(other["refresh_token"]).status_code == 200
    session = claims(first["access_token"])["sid"]
    events = [json.loads(line) for line in auth.output().splitlines() if session in line]
    assert "authn_token_reuse" in {event.get("event.action") for event in events}
    assert not [line for line in auth.output().splitlines() if first["refresh_token"] in line]


def test_knowing_a_session_s_id_does_not_help_to_end_it(api: Any) -> None:
    """Only its own tokens lead to a session; inventing one is not showing a used one."""
    tokens = api.person().pair()
    session = claims(tokens["access_token"])["sid"]
    for text in (f"aro_rt_{session}{'A' * 33}", f"aro_rt_{session[:22]}{'A' * 43}", tokens["access_token"]):
        answer = api.refresh(text)
        assert answer.status_code in (401, 422)
    assert api.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("text", ["", "x", "aro_rt_", "aro_rt_" + "A" * 65, "aro_pat_" + "A" * 43, "\u0000", "x" * 500])
def test_what_is_no_refresh_token_is_refused(api: Any, text: str) -> None:
    answer = api.refresh(text)
    assert answer.status_code in (401, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", [None, {}, [], {"refresh_token": None}, {"refresh_token": {"$ne": ""}}])
def test_a_body_that_does_not_fit_is_named(api: Any, body: Any) -> None:
    assert api.post("/refresh", body).status_code in (400, 415, 422)


def test_refresh_and_access_tokens_do_not_stand_in_for_each_other(api: Any) -> None:
    tokens = api.person().pair()
    assert code(api.get("/me", tokens["refresh_token"])) == (401, "token_invalid")
    assert api.refresh(tokens["access_token"]).status_code in (401, 422)


def test_logout_ends_this_session_and_no_other(api: Any) -> None:
    person = api.person()
    here, there = person.pair(), person.pair()
    assert api.post("/logout", token=here["access_token"]).status_code == 204
    assert code(api.get("/me", here["access_token"])) == (401, "token_revoked")
    assert code(api.refresh(here["refresh_token"])) == (401, "token_revoked")
    assert code(api.post("/logout", token=here["access_token"])) == (401, "token_revoked")
    assert api.get("/me", there["access_token"]).status_code == 200


def test_logout_from_everywhere(api: Any) -> None:
    person, other = api.person(), api.person().pair()
    pairs = [person.pair() for _ in range(3)]
    assert api.post("/logout-all", token=pairs[0]["access_token"]).json() == {"sessions": 3}
    for tokens in pairs:
        assert code(api.refresh(tokens["refresh_token"])) == (401, "token_revoked")
        assert code(api.get("/me", tokens["access_token"])) == (401, "token_revoked")
    assert person.login().status_code == 200
    assert api.get("/me", other["access_token"]).status_code == 200


def test_sessions_are_listed_with_where_they_come_from(api: Any) -> None:
    person = api.person()
    old = person.pair(headers={"User-Agent": "Laptop\t" + "x" * 300})
    new = person.pair(headers={"User-Agent": "Télephone"})
    items = api.get("/sessions", new["access_token"]).json()["items"]
    assert [item["current"] for item in items] == [True, False]
    assert items[1]["user_agent"] == "Laptop" + "x" * 194
    assert {item["address"] for item in items} == {"127.0.0.1"}
    assert [item["id"] for item in items] == [claims(tokens["access_token"])["sid"] for tokens in (new, old)]
    assert all(item["created_at"] <= item["last_used_at"] < item["expires_at"] for item in items)
    api.refresh(old["refresh_token"], headers={"User-Agent": "Laptop 2"})
    items = api.get("/sessions", new["access_token"]).json()["items"]
    assert (items[0]["current"], items[0]["user_agent"]) == (False, "Laptop 2")


def test_a_session_is_revoked_by_its_owner_only(api: Any) -> None:
    person, other = api.person(), api.person()
    here, there, theirs = person.pair(), person.pair(), other.pair()
    session = claims(there["access_token"])["sid"]
    assert code(api.delete(f"/sessions/{session}", theirs["access_token"])) == (404, "not_found")
    assert api.get("/me", there["access_token"]).status_code == 200
    assert api.delete(f"/sessions/{session}", here["access_token"]).status_code == 204
    assert code(api.get("/me", there["access_token"])) == (401, "token_revoked")
    for unknown in (session, "nothing", "%24ne"):
        assert code(api.delete(f"/sessions/{unknown}", here["access_token"])) == (404, "not_found")
    assert [item["current"] for item in api.get("/sessions", here["access_token"]).json()["items"]] == [True]


def test_another_password_ends_all_other_sessions(api: Any) -> None:
    person = api.person()
    here, there = person.pair(), person.pair()

    def change(**body: str) -> Any:
        given = {"current_password": "correct horse", "new_password": "battery staple", **body}
        return api.post("/change-password", given, here["access_token"])

    assert set(change(current_password="wrong horse").json()["errors"]) == {"current_password"}
    assert set(change(new_password="password1").json()["errors"]) == {"new_password"}
    assert set(change(new_password=person.email.upper()).json()["errors"]) == {"new_password"}
    assert api.get("/me", there["access_token"]).status_code == 200
    assert change().status_code == 204
    assert code(api.get("/me", there["access_token"])) == (401, "token_revoked")
    assert api.refresh(here["refresh_token"]).status_code == 200
    assert person.login().status_code == 401
    assert person.login(password="battery staple").status_code == 200


def test_a_password_is_not_guessed_by_changing_it(make_inside: Any) -> None:
    api = make_inside({"ARO_LOGIN_FAILURES": "3"})
    token = api.person().token()
    body = {"current_password": "wrong horse", "new_password": "battery staple"}
    answers = [api.post("/change-password", body, token).status_code for _ in range(4)]
    assert answers == [422, 422, 422, 429]


def test_beyond_the_limit_the_longest_unused_session_ends(make_inside: Any) -> None:
    api = make_inside({"ARO_SESSIONS_PER_USER": "3"})
    person = api.person()
    pairs = [person.pair() for _ in range(3)]
    refreshed = api.refresh(pairs[0]["refresh_token"]).json()
    person.pair()
    assert code(api.get("/me", pairs[1]["access_token"])) == (401, "token_revoked")
    for tokens in (refreshed, pairs[2]):
        assert api.get("/me", tokens["access_token"]).status_code == 200
    assert len(api.get("/sessions", refreshed["access_token"]).json()["items"]) == 3


def test_a_short_session_has_short_tokens(make_inside: Any) -> None:
    api = make_inside({"ARO_SESSION_HOURS": "1", "ARO_SESSION_IDLE_HOURS": "2"})
    tokens = api.person().pair()
    assert (tokens["expires_in"], tokens["refresh_expires_in"]) == (900, 3_600)

    def left() -> int:
        return int(api.refresh(tokens["refresh_token"]).json()["refresh_expires_in"])

    eventually(lambda: left() <= 3_598, "the end to come nearer, refreshed or not", seconds=5, interval=0.3)


def test_the_address_is_the_client_s_behind_trusted_proxies_only(api: Any, make_inside: Any) -> None:
    def address(service: Any) -> str:
        person = service.person()
        token = person.pair(headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})["access_token"]
        return str(service.get("/sessions", token).json()["items"][0]["address"])

    assert address(api) == "127.0.0.1"
    behind = make_inside({"ARO_TRUSTED_PROXIES": "127.0.0.0/8", "ARO_LOGINS_PER_MINUTE": "2"})
    assert address(behind) == "203.0.113.7"
    # Limits too are the client's own, whatever it writes in front.
    body = {"email": "nobody@example.com", "password": "wrong horse"}

    def login(forwarded: str) -> int:
        return int(behind.post("/login", body, headers={"X-Forwarded-For": forwarded}).status_code)

    statuses = [login(f"{n}.1.1.1, 203.0.113.8") for n in range(1, 4)]
    assert statuses == [401, 401, 429]
    assert login("203.0.113.9") == 401
