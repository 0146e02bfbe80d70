"""What belongs to one account is 404 to another, and in no list of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests


@dataclass(frozen=True)
class Kind:
    """Objects of a user: where the list is and under which name, how one is made, what is under its own path."""

    service: str
    path: str
    name: str
    make: Callable[[Any, str], str]
    below: tuple[tuple[str, str], ...]


def _token(estate: Any, bearer: str) -> str:
    return str(estate.post("auth", "/api/v1/auth/tokens", {"name": "mine"}, bearer).json()["id"])


def _session(estate: Any, bearer: str) -> str:
    answer = requests.get(f"{estate.url('auth')}/api/v1/auth/sessions", headers=_headers(bearer), timeout=5)
    return str(next(item["id"] for item in answer.json()["items"] if item["current"]))


def _alert(estate: Any, bearer: str) -> str:
    body = {"product": "NIFTY", "metric": "spot", "op": "above", "threshold": 1e9}
    answer = estate.post("analytics", "/api/v1/alerts", body, bearer)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _replay(estate: Any, bearer: str) -> str:
    answer = estate.post("analytics", "/api/v1/replay/sessions", {"from": "2026-11-22T09:00:00Z"}, bearer)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


KINDS = {
    "sessions": Kind("auth", "/api/v1/auth/sessions", "items", _session, (("DELETE", ""),)),
    "personal tokens": Kind("auth", "/api/v1/auth/tokens", "items", _token, (("DELETE", ""),)),
    "alerts": Kind("analytics", "/api/v1/alerts", "alerts", _alert, (("GET", ""), ("GET", "/events"), ("DELETE", ""))),
    "replay sessions": Kind("analytics", "/api/v1/replay/sessions", "sessions", _replay, (("GET", ""), ("DELETE", ""))),
}


@pytest.mark.parametrize("through", ["the service", "the gateway"])
@pytest.mark.parametrize("name", KINDS)
def test_nobody_reaches_what_another_has(name: str, through: str, estate: Any) -> None:
    kind = KINDS[name]
    url = estate.url(kind.service if through == "the service" else "api-gateway") + kind.path
    owner, other = estate.login(estate.user), estate.login(estate.other)
    made = kind.make(estate, owner)
    for method, below in kind.below:
        answer = requests.request(method, f"{url}/{made}{below}", headers=_headers(other), timeout=5)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, below)
    assert made not in _listed(url, kind, other)
    assert made in _listed(url, kind, owner)
    # The owner's own deletion shows that the object was there all the time.
    assert requests.delete(f"{url}/{made}", headers=_headers(owner), timeout=5).status_code == 204


def _listed(url: str, kind: Kind, bearer: str) -> set[str]:
    answer = requests.get(url, headers=_headers(bearer), timeout=5)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()[kind.name]}


def _headers(bearer: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer}"}
