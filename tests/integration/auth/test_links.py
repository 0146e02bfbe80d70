"""Addresses that log a browser in: for operators, once, and not for long."""

from datetime import datetime, timedelta
from typing import Any


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_link_logs_one_browser_in_once(api: Any) -> None:
    person = api.person()
    done = api.command("admin", "link", person.email, "--page", "http://127.0.0.1:8000/")
    page, _, token = done.stdout.strip().partition("#code=")
    assert (page, token.startswith("aro_rt_")) == ("http://127.0.0.1:8000/", True)
    pair = api.refresh(token).json()
    assert api.get("/me", pair["access_token"]).json()["email"] == person.email
    assert pair["refresh_token"] != token


def test_a_link_has_to_be_used_within_minutes(make_inside: Any) -> None:
    api = make_inside()
    person = api.person()
    before = {item["id"] for item in api.get("/sessions", person.token()).json()["items"]}
    done = api.command("admin", "link", person.email, "--page", "http://localhost:8000")
    listed = api.get("/sessions", person.token()).json()["items"]
    (made,) = [item for item in listed if item["user_agent"].startswith("a link")]
    assert made["id"] not in before
    assert instant(made["expires_at"]) - instant(made["created_at"]) == timedelta(minutes=10)
    used = api.refresh(done.stdout.strip().partition("#code=")[2]).json()
    (after,) = [item for item in api.get("/sessions", used["access_token"]).json()["items"] if item["id"] == made["id"]]
    assert instant(after["expires_at"]) > instant(made["expires_at"])
    assert api.refresh(used["refresh_token"]).status_code == 200


def test_a_link_can_make_the_account_whose_password_nobody_knows(api: Any) -> None:
    link = ("admin", "link", "Guest@Example.com", "--page", "http://localhost:8000")
    assert api.command(*link).stderr == "there is no account Guest@Example.com\n"
    tokens = [api.command(*link, "--create").stdout.strip().partition("#code=")[2] for _ in range(2)]
    accounts = [api.get("/me", api.refresh(token).json()["access_token"]).json() for token in tokens]
    assert accounts[0] == accounts[1]
    assert (accounts[0]["email"], accounts[0]["role"]) == ("guest@example.com", "user")


def test_a_link_is_refused_for_what_cannot_be_one(api: Any, administrator: Any) -> None:
    person = api.person()
    for page in ("127.0.0.1:8000", "http://a.example/#code=", "javascript:alert(1)"):
        done = api.command("admin", "link", person.email, "--page", page)
        assert (done.returncode, "no address of a page" in done.stderr) == (1, True)
    api.patch(f"/users/{person.id}", {"disabled": True}, administrator.token())
    done = api.command("admin", "link", person.email, "--page", "http://localhost:8000")
    assert (done.returncode, done.stderr) == (1, f"{person.email} is disabled\n")
