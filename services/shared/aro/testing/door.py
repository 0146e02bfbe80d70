"""An api-gateway as its own process, with small real services behind it that answer as told."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aro.adapters.clock import SystemClock
from aro.adapters.revocations import announce
from aro.adapters.tokens import ALL_SCOPES, TokenIssuer, to_jwk
from aro.testing.echo import EchoService
from aro.testing.eventually import eventually
from aro.testing.servers import Process, RedisServer, free_port
from aro.testing.services import HttpService

NAMES = {"issuer": "option-aro-auth", "audience": "option-aro"}
JWKS = "/.well-known/jwks.json"
EXCHANGE = "/api/v1/auth/tokens/exchange"
SERVICES = ("auth", "storage", "analytics", "logging")


@dataclass
class Door:
    """The process and what it talks to. `key` signs whatever token a test needs."""

    directory: Path
    redis: RedisServer
    settings: dict[str, str] = field(default_factory=dict)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def start(self) -> None:
        self.upstreams = {name: EchoService(self.directory / name) for name in SERVICES}
        self.upstreams["auth"].answer(JWKS, {"keys": [to_jwk("kid", self.key.public_key())]})
        for upstream in self.upstreams.values():
            Process.start(upstream)  # all at once
        for upstream in self.upstreams.values():
            eventually(upstream.answers_calls, f"{upstream.directory.name} to listen", seconds=20)
        self.operations_port = free_port()
        environ = {
            **{f"ARO_{name.upper()}_URL": upstream.url for name, upstream in self.upstreams.items()},
            "ARO_JWKS_URL": self.upstreams["auth"].url + JWKS,
            "ARO_REDIS_URL": self.redis.url,
            "ARO_OPERATIONS_PORT": str(self.operations_port),
            "ARO_REQUESTS_PER_USER": "100000",
            "ARO_REQUESTS_PER_ADDRESS": "1000000",
            **self.settings,
        }
        self.process = HttpService("api_gateway", self.directory / "gateway", environ)
        self.process.start()
        self.url = self.process.url

    def stop(self) -> None:
        self.process.kill()
        for upstream in self.upstreams.values():
            upstream.kill()

    def token(self, subject: str = "somebody", role: str = "user", *, session: str = "", **more: Any) -> str:
        issuer = TokenIssuer(self.key, "kid", clock=SystemClock(), **NAMES)
        return issuer.issue(subject, role, session=session, scopes=more.pop("scopes", ALL_SCOPES), **more)

    def bearer(self, *arguments: str, **more: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*arguments, **more)}"}

    def get(self, path: str, **options: Any) -> requests.Response:
        headers = {**self.bearer(), **options.pop("headers", {})}
        return requests.get(self.url + path, headers=headers, timeout=15, **options)

    def end(self, session: str) -> None:
        announce(self.redis.client(), session, now=time.time())

    def metrics(self) -> dict[str, float]:
        """Series → value, as the operations port serves them."""
        text = requests.get(f"http://127.0.0.1:{self.operations_port}/metrics", timeout=5).text
        lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}
