"""The auth service of these tests, as its clients and operators see it."""

import argparse
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests
from werkzeug.serving import make_server

from aro.adapters import mongo
from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoError
from aro.runtime.preparation import Preparation
from aro.runtime.settings import load
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer
from aro.testing.services import HttpService
from auth_service.app import Stores, build
from auth_service.commands import CommandFailed, add_parsers, run_admin, run_keys
from auth_service.keyring import KeyRing
from auth_service.keys import load_or_create
from auth_service.settings import AdminSettings, AuthSettings, KeySettings

PASSWORD = "correct horse"


class Service(Protocol):
    url: str
    settings: dict[str, str]


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Inside:
    """The auth service on a real database, served by threads of this process: starts in a tenth of a second."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        loaded = load(AuthSettings, {"ARO_PORT": "1", **settings})
        load_or_create(loaded.key_dir)
        self._database = mongo.connect(loaded.mongo_url, loaded.mongo_database)
        preparation = Preparation(Stores.of(self._database).ensure, retry_on=MongoError)
        app = build(loaded, KeyRing(loaded.key_dir, SystemClock()), self._database, preparation)
        preparation.start()
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        eventually(lambda: requests.get(f"{self.url}/readyz", timeout=5).ok, "the service to be ready")

    def kill(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._database.client.close()


class Api:
    """One auth service. Answers are `requests.Response`s, unless a method says otherwise."""

    def __init__(self, service: Service) -> None:
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

    def command(self, *arguments: str, text: str = "") -> Done:
        """What ``python -m auth_service …`` does with this service's settings; `text` is the password."""
        parser = argparse.ArgumentParser()
        add_parsers(parser)
        parsed = parser.parse_args(arguments)
        try:
            if parsed.group == "keys":
                lines = run_keys(parsed, load(KeySettings, self.service.settings))
            else:
                lines = run_admin(parsed, load(AdminSettings, self.service.settings), text.strip)
        except CommandFailed as error:
            return Done(1, "", f"{error}\n")
        return Done(0, "\n".join([*lines, ""]), "")

    def process(self, *arguments: str, text: str = "") -> Done:
        """The same by a process of its own; `text` is its standard input."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
        done = subprocess.run(
            [sys.executable, "-m", "auth_service", *arguments],
            env={**own, **self.service.settings},
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

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


def own_settings(directory: Path, mongo_url: str, settings: Mapping[str, str] | None) -> dict[str, str]:
    return {
        "ARO_MONGO_URL": mongo_url,
        "ARO_MONGO_DATABASE": f"aro_auth_{uuid.uuid4().hex[:8]}",
        "ARO_AUTH_KEY_DIR": str(directory / "keys"),
        "ARO_LOGINS_PER_MINUTE": "100000",
        "ARO_REGISTRATIONS_PER_HOUR": "100000",
        **(settings or {}),
    }


@pytest.fixture
def make_api(tmp_path: Path, mongo_server: MongoServer) -> Iterator[Callable[..., Api]]:
    """An auth process of a test's own, with its settings and a database of its own; ended with the test."""
    running: list[HttpService] = []

    def make(settings: Mapping[str, str] | None = None, mongo_url: str = mongo_server.url) -> Api:
        directory = tmp_path / f"auth-{len(running)}"
        service = HttpService("auth_service", directory, own_settings(directory, mongo_url, settings))
        service.start()
        running.append(service)
        return Api(service)

    yield make
    for service in running:
        service.kill()


@pytest.fixture
def make_inside(tmp_path: Path, mongo_server: MongoServer) -> Iterator[Callable[..., Api]]:
    """As `make_api`, within this process: for settings that few tests need, and nothing that a process would show."""
    running: list[Inside] = []

    def make(settings: Mapping[str, str] | None = None) -> Api:
        directory = tmp_path / f"inside-{len(running)}"
        service = Inside(own_settings(directory, mongo_server.url, settings))
        running.append(service)
        return Api(service)

    yield make
    for service in running:
        service.kill()
