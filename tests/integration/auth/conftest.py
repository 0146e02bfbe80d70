"""The auth service of these tests, as its clients and operators see it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.testing.servers import MongoServer
from aro.testing.services import HttpService

PASSWORD = "correct horse"


class Api:
    """One auth service. Answers are `requests.Response`s, unless a method says otherwise."""

    def __init__(self, service: HttpService) -> None:
        self.service = service

    def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> requests.Response:
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        url = f"{self.service.url}/api/v1/auth{path}"
        return requests.request(method, url, headers=headers, timeout=10, **options)

    def get(self, path: str, token: str | None = None, **options: Any) -> requests.Response:
        return self.ask("GET", path, token, **options)

    def post(self, path: str, body: Any = None, token: str | None = None, **options: Any) -> requests.Response:
        return self.ask("POST", path, token, json=body, **options)

    def patch(self, path: str, body: Any, token: str) -> requests.Response:
        return self.ask("PATCH", path, token, json=body)

    def delete(self, path: str, token: str) -> requests.Response:
        return self.ask("DELETE", path, token)

    def register(self, **body: Any) -> requests.Response:
        return self.post("/register", {"email": fresh_email(), "password": PASSWORD, **body})

    def refresh(self, refresh_token: str, **options: Any) -> requests.Response:
        return self.post("/refresh", {"refresh_token": refresh_token}, **options)

    def person(self) -> "Person":
        """Somebody who has just registered."""
        answer = self.register()
        assert answer.status_code == 201, answer.text
        return Person(self, answer.json())

    def command(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """``python -m auth_service …`` with this service's settings and `text` on standard input."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
        return subprocess.run(
            [sys.executable, "-m", "auth_service", *arguments],
            env={**own, **self.service.settings},
            input=text,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def administrator(self) -> "Person":
        email = fresh_email()
        done = self.command("admin", "create", email, text=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr
        return Person(self, {"email": email})


class Person:
    """An account, and what its owner does."""

    def __init__(self, api: Api, account: dict[str, Any]) -> None:
        self.api = api
        self.account = account
        self.email: str = account["email"]

    @property
    def id(self) -> str:
        if "id" not in self.account:
            self.account = self.api.get("/me", self.token()).json()
        return str(self.account["id"])

    def login(self, password: str = PASSWORD, **options: Any) -> requests.Response:
        return self.api.post("/login", {"email": self.email, "password": password}, **options)

    def pair(self, **options: Any) -> dict[str, Any]:
        """Tokens of a new session."""
        answer = self.login(**options)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def token(self) -> str:
        return str(self.pair()["access_token"])


def fresh_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


@pytest.fixture(scope="session")
def auth(auth_process: HttpService) -> HttpService:
    return auth_process


@pytest.fixture(scope="session")
def api(auth_process: HttpService) -> Api:
    return Api(auth_process)


@pytest.fixture(scope="session")
def administrator(api: Api) -> Person:
    return api.administrator()


@pytest.fixture
def make_api(tmp_path: Path, mongo_server: MongoServer) -> Iterator[Callable[..., Api]]:
    """An auth service of a test's own, with its settings and a database of its own; ended with the test."""
    running: list[HttpService] = []

    def make(settings: Mapping[str, str] | None = None, mongo_url: str = mongo_server.url) -> Api:
        directory = tmp_path / f"auth-{len(running)}"
        service = HttpService(
            "auth_service",
            directory,
            {
                "ARO_MONGO_URL": mongo_url,
                "ARO_MONGO_DATABASE": f"aro_auth_{uuid.uuid4().hex[:8]}",
                "ARO_AUTH_KEY_DIR": str(directory / "keys"),
                "ARO_LOGINS_PER_MINUTE": "100000",
                "ARO_REGISTRATIONS_PER_HOUR": "100000",
                **(settings or {}),
            },
        )
        service.start()
        running.append(service)
        return Api(service)

    yield make
    for service in running:
        service.kill()
