"""All HTTP services at once, on servers of their own and over data that the real pipeline made."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
import requests

from aro.adapters import mongo
from aro.adapters.clock import SystemClock
from aro.adapters.live import LiveReader
from aro.adapters.tokens import ALL_SCOPES, ROLE_ADMIN, ROLE_USER, TokenIssuer
from aro.adapters.user_store import UserStore
from aro.contracts.names import surface_channel, ticks_channel
from aro.testing.eventually import eventually
from aro.testing.page import write_page
from aro.testing.platform import REPLAY, Platform
from aro.testing.servers import free_port
from aro.testing.services import HttpService
from auth_service.keys import SigningKey, load_or_create

PRODUCT: Final = "NIFTY"
MODULES: Final = {
    "auth": "auth_service",
    "storage": "storage_service",
    "analytics": "analytics_service",
    "logging": "logging_service",
    "api-gateway": "api_gateway",
}
DATABASE: Final = "aro_platform_test"
PASSWORD: Final = "an uncommon passphrase"
ADMIN: Final = "admin@contracts.test"
USER: Final = "user@contracts.test"
OTHER: Final = "other@contracts.test"
NAMES: Final = {"issuer": "option-aro-auth", "audience": "option-aro"}
_PLENTY: Final = dict.fromkeys(
    (
        "ARO_LOGINS_PER_MINUTE",
        "ARO_LOGIN_FAILURES",
        "ARO_REGISTRATIONS_PER_HOUR",
        "ARO_SESSIONS_PER_USER",
        "ARO_PERSONAL_TOKENS_PER_USER",
        "ARO_REQUESTS_PER_USER",
        "ARO_REQUESTS_PER_ADDRESS",
        "ARO_LOG_INGEST_LINES_PER_MINUTE",
        "ARO_ALERTS_PER_USER",
    ),
    "1000000",
) | {"ARO_REPLAY_SESSIONS": "40", "ARO_REPLAY_SESSIONS_PER_USER": "15"}
_HISTORY_SECONDS: Final = 600


@dataclass
class Estate:
    """Everything that runs. `documents` are the OpenAPI documents by service, `accounts` ids by e-mail."""

    admin = ADMIN
    user = USER
    other = OTHER
    password = PASSWORD
    platform: Platform
    services: dict[str, HttpService]
    key: SigningKey
    expiry: str
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)

    def url(self, name: str) -> str:
        return self.services[name].url

    def login(self, email: str) -> str:
        """An access token of a new session, whatever an administrator among the tests did to the account."""
        self.restore()
        answer = self.post("auth", "/api/v1/auth/login", {"email": email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def restore(self) -> None:
        """Every account enabled, with the role that it had first."""
        database = mongo.connect(self.platform.mongo.url, DATABASE)
        users = UserStore(database)
        for email, identity in self.accounts.items():
            users.set_disabled(identity, None)
            users.set_role(identity, ROLE_ADMIN if email == ADMIN else ROLE_USER)
        database.client.close()

    def personal_token(self, email: str) -> str:
        answer = self.post("auth", "/api/v1/auth/tokens", {"name": "script"}, self.login(email))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def replays(self, email: str) -> list[str]:
        """The only replay sessions of an account, all of them new."""
        headers = {"Authorization": f"Bearer {self.login(email)}"}
        url = f"{self.url('analytics')}/api/v1/replay/sessions"
        for old in requests.get(url, headers=headers, timeout=10).json()["sessions"]:
            requests.delete(f"{url}/{old['id']}", headers=headers, timeout=10)
        body = {"from": "2026-11-22T09:00:00Z", "paused": True}
        made = [requests.post(url, json=body, headers=headers, timeout=10) for _ in range(3)]
        assert [answer.status_code for answer in made] == [201] * 3
        return [answer.json()["id"] for answer in made]

    def straddle(self) -> str:
        """Two legs that exist."""
        headers = {"Authorization": f"Bearer {self.login(USER)}"}
        url = f"{self.url('storage')}/api/v1/chains/{PRODUCT}"
        answer = requests.get(url, params={"expiry": self.expiry}, headers=headers, timeout=10)
        strike = answer.json()["atm_strike"]
        return f"{strike:g}CE,{strike:g}PE"

    def reissue(self, token: str, **changes: Any) -> str:
        """A token for the same account and session that differs in ``role``, ``scopes`` or ``lifetime``."""
        claims = jwt.decode(token, options={"verify_signature": False})
        issuer = TokenIssuer(self.key.private, self.key.kid, clock=SystemClock(), **NAMES)
        chosen = {"role": claims["role"], "scopes": ALL_SCOPES, **changes}
        return issuer.issue(claims["sub"], session=claims["sid"], **chosen)

    def post(self, name: str, path: str, body: Mapping[str, Any], token: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.post(f"{self.url(name)}{path}", json=body, headers=headers, timeout=10)


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    directory = Path(tmp_path_factory.mktemp("contracts"))
    feed = ["--products", PRODUCT, "--interval", "0.5", "--seed", "3"]
    platform = Platform(directory, feed_arguments=feed, environ={"ARO_REPLAY_IDLE_SECONDS": "900"})
    services: dict[str, HttpService] = {}
    try:
        platform.start(("consume", "work", "beat", "feed", REPLAY))
        services |= _services(platform, directory)
        for service in services.values():
            service.start()
        running = Estate(platform, services, load_or_create(directory / "keys"), expiry=_seed(platform))
        _accounts(running)
        for name in services:
            running.documents[name] = eventually(lambda name=name: _document(running, name), f"{name}'s document")
        yield running
    finally:
        for service in services.values():
            service.kill()
        platform.stop()


def _document(running: Estate, name: str) -> dict[str, Any] | None:
    """The gateway's is complete when it has asked everybody."""
    document: dict[str, Any] = requests.get(f"{running.url(name)}/openapi.json", timeout=5).json()
    behind = {path for part in running.documents.values() for path in part["paths"] if path.startswith("/api/")}
    return document if name != "api-gateway" or behind <= document["paths"].keys() else None


def _services(platform: Platform, directory: Path) -> dict[str, HttpService]:
    """Not started yet: the gateway has to know the others' ports."""
    settings = {
        "ARO_REDIS_URL": platform.redis.url,
        "ARO_MONGO_URL": platform.mongo.url,
        "ARO_MONGO_DATABASE": DATABASE,
        "ARO_AUTH_KEY_DIR": str(directory / "keys"),
        "ARO_OPERATIONS_PORT": str(free_port()),
        "ARO_PAGE_DIR": str(write_page(directory / "page")),
        **_PLENTY,
    }
    found: dict[str, HttpService] = {}
    for name, module in MODULES.items():
        found[name] = HttpService(module, directory / name, settings)
        settings[f"ARO_{name.upper()}_URL"] = found[name].url
        settings["ARO_JWKS_URL"] = f"{found['auth'].url}/.well-known/jwks.json"
    return found


def _seed(platform: Platform) -> str:
    """Ten minutes of history and a live market that then stands still; the nearest expiry."""
    command = [sys.executable, "-m", "feed_generator", "--products", PRODUCT]
    options = ["--backfill", str(_HISTORY_SECONDS), "--interval", "10"]
    environ = {**os.environ, "ARO_REDIS_URL": platform.redis.url, "ARO_OPERATIONS_PORT": "1"}
    subprocess.run([*command, *options], env=environ, capture_output=True, timeout=60, check=True)
    client = platform.redis.client()
    live = LiveReader(client)
    for channel in (ticks_channel(PRODUCT), surface_channel(PRODUCT)):
        eventually(lambda channel=channel: live.state(channel), channel, seconds=30)
    chains = eventually(
        lambda: sorted(name for name in live.channels() if name.startswith(f"chain:{PRODUCT}:")), "chains", seconds=10
    )
    client.close()
    for name in ("feed", "consume", "work", "beat"):
        platform.unguard(name)
        platform.processes[name].kill()
    return chains[0].rpartition(":")[2]


def _accounts(running: Estate) -> None:
    """The first administrator is made by a command; here its account is promoted like that."""
    for email in (ADMIN, USER, OTHER):
        answer = running.post("auth", "/api/v1/auth/register", {"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        running.accounts[email] = answer.json()["id"]
    running.restore()
