"""Administrators and their command line; who may register; who has to be verified."""

import subprocess
import sys
from typing import Any

import pytest


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


ROUTES = [
    ("GET", "/users", None),
    ("GET", "/users/somebody", None),
    ("PATCH", "/users/somebody", {"role": "admin"}),
    ("GET", "/invitations", None),
    ("POST", "/invitations", {}),
    ("DELETE", "/invitations/something", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda value: value if isinstance(value, str) else "")
def test_users_are_no_administrators(api: Any, method: str, path: str, body: Any) -> None:
    answer = api.ask(method, path, api.person().token(), json=body)
    assert code(answer) == (403, "forbidden")
    assert api.ask(method, path, json=body).status_code == 401


def test_accounts_come_in_pages(make_inside: Any) -> None:
    api = make_inside()
    token = api.administrator().token()
    people = [api.person() for _ in range(6)]
    seen: list[Any] = []
    cursor, pages = "", 0
    while cursor is not None:
        page = api.get("/users", token, params={"limit": 3, "cursor": cursor}).json()
        seen += page["items"]
        cursor, pages = page["next_cursor"], pages + 1
    assert pages == 3
    assert [item["email"] for item in seen] == sorted(item["email"] for item in seen)
    assert {person.email for person in people} < {item["email"] for item in seen}
    assert "password_hash" not in str(seen)
    assert [item["role"] for item in seen].count("admin") == 1
    assert api.get("/users", token, params={"limit": 7}).json()["next_cursor"] is None
    assert api.get("/users", token, params={"limit": 0}).status_code == 422
    assert api.get("/users", token, params={"limit": 201}).status_code == 422


def test_a_role_is_given_and_taken(api: Any, administrator: Any) -> None:
    token, person = administrator.token(), api.person()
    before = person.pair()
    changed = api.patch(f"/users/{person.id}", {"role": "admin"}, token)
    assert (changed.status_code, changed.json()["role"]) == (200, "admin")
    assert api.get(f"/users/{person.id}", token).json() == changed.json()
    # The next token says it; no session had to end.
    refreshed = api.refresh(before["refresh_token"]).json()["access_token"]
    assert api.get("/users", refreshed).status_code == 200
    api.patch(f"/users/{person.id}", {"role": "user"}, token)
    assert code(api.get("/users", refreshed)) == (401, "token_revoked")
    assert code(api.get("/users", person.token())) == (403, "forbidden")


def test_a_disabled_account_is_out_until_it_is_enabled(api: Any, administrator: Any) -> None:
    token, person = administrator.token(), api.person()
    pair = person.pair()
    personal = api.post("/tokens", {"name": "script"}, pair["access_token"]).json()["token"]
    access = api.post("/tokens/exchange", token=personal).json()["access_token"]
    assert api.patch(f"/users/{person.id}", {"disabled": True}, token).json()["disabled"] is True
    for used in (pair["access_token"], access):
        assert code(api.get("/me", used)) == (401, "token_revoked")
    assert code(api.refresh(pair["refresh_token"])) == (401, "token_revoked")
    assert code(api.post("/tokens/exchange", token=personal)) == (401, "token_revoked")
    assert code(person.login()) == (403, "account_disabled")
    assert code(person.login(password="wrong horse")) == (401, "bad_credentials")
    assert api.patch(f"/users/{person.id}", {"disabled": False}, token).json()["disabled"] is False
    assert person.login().status_code == 200
    assert code(api.post("/tokens/exchange", token=personal)) == (401, "token_revoked")


def test_nobody_locks_oneself_out(api: Any, administrator: Any) -> None:
    token = administrator.token()
    for body in ({"role": "user"}, {"disabled": True}):
        assert code(api.patch(f"/users/{administrator.id}", body, token)) == (409, "conflict")
    assert api.patch(f"/users/{administrator.id}", {"role": "admin", "disabled": False}, token).status_code == 200


@pytest.mark.parametrize(
    "body", [{"role": "root"}, {"verified": False}, {"disabled": "yes"}, {"email": "x@example.com"}, {"password": "x"}]
)
def test_only_what_may_be_changed_is_changed(api: Any, administrator: Any, body: Any) -> None:
    assert api.patch(f"/users/{administrator.id}", body, administrator.token()).status_code == 422


def test_what_is_not_there_is_not_found(api: Any, administrator: Any) -> None:
    token = administrator.token()
    assert code(api.get("/users/nobody", token)) == (404, "not_found")
    assert code(api.patch("/users/nobody", {"role": "admin"}, token)) == (404, "not_found")
    assert code(api.delete("/invitations/nothing", token)) == (404, "not_found")


def test_verification_comes_before_the_first_login(make_inside: Any) -> None:
    api = make_inside({"ARO_EMAIL_VERIFICATION": "required"})
    administrator, person, other = api.administrator(), api.person(), api.person()
    assert code(person.login()) == (403, "account_unverified")
    assert code(person.login(password="wrong horse")) == (401, "bad_credentials")
    token = administrator.token()
    [user] = [item for item in api.get("/users", token).json()["items"] if item["email"] == person.email]
    assert user["verified"] is False
    assert api.patch(f"/users/{user['id']}", {"verified": True}, token).json()["verified"] is True
    assert api.get("/me", person.token()).json()["verified"] is True
    assert api.command("admin", "verify", other.email.upper()).stdout == f"{other.email} is verified\n"
    assert other.login().status_code == 200


def test_closed_means_closed(make_inside: Any) -> None:
    api = make_inside({"ARO_REGISTRATION": "closed"})
    token = api.administrator().token()
    text = api.post("/invitations", {}, token).json()["invitation"]
    for body in ({}, {"invitation": text}):
        assert code(api.register(**body)) == (403, "forbidden")


def test_by_invitation_only(make_inside: Any) -> None:
    api = make_inside({"ARO_REGISTRATION": "invite", "ARO_EMAIL_VERIFICATION": "required"})
    token = api.administrator().token()
    assert code(api.register()) == (403, "forbidden")
    assert code(api.register(invitation="aro_inv_" + "A" * 43)) == (403, "forbidden")

    invited = api.post("/invitations", {"email": "Ann@Example.com", "expires_in_hours": 1}, token)
    assert invited.status_code == 201
    personal = invited.json()
    assert personal["email"] == "ann@example.com"
    anyone = api.post("/invitations", {}, token).json()
    listed = api.get("/invitations", token)
    assert [item["id"] for item in listed.json()["items"]] == [personal["id"], anyone["id"]]
    assert personal["invitation"] not in listed.text

    assert code(api.register(invitation=personal["invitation"])) == (403, "forbidden")
    ann = api.register(email="ann@example.com", invitation=personal["invitation"])
    assert (ann.status_code, ann.json()["verified"]) == (201, True)
    assert code(api.register(email="ann@example.com", invitation=anyone["invitation"])) == (409, "conflict")
    # It was not used up by the attempt.
    bob = api.register(invitation=anyone["invitation"])
    assert (bob.status_code, bob.json()["verified"]) == (201, False)
    assert code(api.register(invitation=anyone["invitation"])) == (403, "forbidden")
    assert api.get("/invitations", token).json()["items"] == []

    withdrawn = api.post("/invitations", {}, token).json()
    assert api.delete(f"/invitations/{withdrawn['id']}", token).status_code == 204
    assert code(api.register(invitation=withdrawn["invitation"])) == (403, "forbidden")
    assert code(api.delete(f"/invitations/{withdrawn['id']}", token)) == (404, "not_found")

    printed = api.command("admin", "invite", "--email", "cy@example.com", "--hours", "2")
    assert api.register(email="cy@example.com", invitation=printed.stdout.strip()).status_code == 201


def test_the_first_administrator_comes_from_the_command_line(make_inside: Any) -> None:
    api = make_inside()
    for password, words in (("short\n", "8 to 128"), ("password1\n", "too easy"), ("", "8 to 128")):
        done = api.command("admin", "create", "boss@example.com", text=password)
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stdout == ""
    done = api.process("admin", "create", " Boss@Example.com ", text="correct horse\nignored\n")
    assert done.returncode == 0
    assert done.stdout.startswith("boss@example.com is an administrator")
    again = api.process("admin", "create", "boss@example.com", text="battery staple\n")
    assert (again.returncode, again.stderr) == (1, "an account with this e-mail exists already\n")
    login = api.post("/login", {"email": "boss@example.com", "password": "correct horse"})
    assert api.get("/users", login.json()["access_token"]).status_code == 200


def test_commands_change_accounts_of_a_running_service(make_inside: Any) -> None:
    api = make_inside()
    person = api.person()
    assert api.command("admin", "promote", person.email).returncode == 0
    pair = person.pair()
    assert api.get("/users", pair["access_token"]).status_code == 200
    assert api.command("admin", "demote", person.email).returncode == 0
    assert code(api.get("/users", pair["access_token"])) == (401, "token_revoked")
    pair = person.pair()
    assert api.command("admin", "password", person.email, text="battery staple\n").returncode == 0
    assert code(api.refresh(pair["refresh_token"])) == (401, "token_revoked")
    assert person.login().status_code == 401
    assert person.login(password="battery staple").status_code == 200
    unknown = api.command("admin", "verify", "nobody@example.com")
    assert (unknown.returncode, unknown.stderr) == (1, "there is no account nobody@example.com\n")


def test_a_command_without_its_settings_says_which() -> None:
    for group, variable in (("admin verify x@example.com", "ARO_MONGO_URL"), ("keys list", "ARO_AUTH_KEY_DIR")):
        command = [sys.executable, "-m", "auth_service", *group.split()]
        done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2
        assert f"{variable} is missing" in done.stderr
        assert "ARO_PORT" not in done.stderr
