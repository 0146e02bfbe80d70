"""The api-gateway as a process of its own with an echo behind it, a market to publish, and a client that asks."""

import time
from pathlib import Path
from typing import Any

import redis
import requests

from aro.adapters.chain_store import ChainRecord
from aro.adapters.live import LivePublisher, Publication
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, metrics_channel, surface_channel
from aro.testing import enriched
from aro.testing.echo import EchoService
from aro.testing.eventually import eventually
from aro.testing.issuer import Issuer
from aro.testing.servers import free_port
from aro.testing.services import HttpService

DAY_MS = 86_400_000
CHAIN = "/api/v1/chains/NIFTY"
METRICS = "/api/v1/chains/NIFTY/metrics"
SURFACE = "/api/v1/analytics/NIFTY/surface"
EXPIRY = "2030-01-31"


class Market:
    """Publishes as the worker does. Expiries are days from now, so that they are not over."""

    def __init__(self, client: redis.Redis) -> None:
        self._publisher = LivePublisher(client)

    def publish(
        self, expiry: str = EXPIRY, *, age_ms: int = 0, expires_in_ms: int = DAY_MS, **head: Any
    ) -> ChainRecord:
        """A chain and its metrics of now, or of `age_ms` ago."""
        now = time.time_ns() // 1_000_000
        record = enriched.record(now - age_ms, expiry=expiry, expiry_ts=now + expires_in_ms, **head)
        product, seq = record.chain.product, record.chain.source_seq
        published = self._publisher.publish(
            [
                Publication(chain_channel(product, expiry), seq, record.data),
                Publication(metrics_channel(product, expiry), seq, encode_json(record.metrics)),
            ]
        )
        assert all(item.accepted for item in published)
        return record

    def publish_surface(self) -> bytes:
        """Bytes that are a surface as far as the gateway looks."""
        now = time.time_ns() // 1_000_000
        data = encode_json({"product": "NIFTY", "source_ts": now, "source_time": "2026-11-22T10:00:00.000+00:00"})
        assert self._publisher.publish([Publication(surface_channel("NIFTY"), now, data)])[0].accepted
        return data


class Caller(requests.Session):
    """A client of the gateway with a token, on one connection that is kept alive."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__()
        self.url = url
        self.headers.update({"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"})

    def ask(self, path: str, query: str = "", *, method: str = "GET", **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        target = f"{self.url}{path}{f'?{query}' if query else ''}"
        return self.request(method, target, headers=named, timeout=5)

    def sent_bytes(self, path: str, query: str, **headers: str) -> bytes:
        """The body as it was sent, not unpacked."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.get(f"{self.url}{path}?{query}", headers=named, timeout=5, stream=True) as answer:
            data: bytes = answer.raw.read(decode_content=False)
        return data


class Gateway:
    """The gateway's process, and counts of how it answered."""

    def __init__(self, directory: Path, redis_url: str, issuer: Issuer, echo: EchoService, **settings: str) -> None:
        self._operations = free_port()
        self.echo = echo
        behind = {f"ARO_{name}_URL": echo.url for name in ("AUTH", "STORAGE", "ANALYTICS", "LOGGING")}
        self.process = HttpService(
            "api_gateway",
            directory,
            {
                **behind,
                "ARO_REDIS_URL": redis_url,
                "ARO_JWKS_URL": issuer.jwks_url,
                "ARO_OPERATIONS_PORT": str(self._operations),
                "ARO_CORS_ORIGINS": "https://app.example",
                "ARO_REQUESTS_PER_USER": "1000000",
                "ARO_REQUESTS_PER_ADDRESS": "1000000",
                **settings,
            },
        )
        self.url = self.process.url

    def answered(self, way: str) -> float:
        """How many latest states were answered on the ``loop`` or by a ``thread``."""
        text = requests.get(f"http://127.0.0.1:{self._operations}/metrics", timeout=5).text
        name = f'live_answers_total{{way="{way}"}}'
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def from_loop(self, caller: Caller, path: str, query: str = "", **headers: str) -> requests.Response:
        """An answer that the event loop gave; asks until there is one."""

        def ask() -> requests.Response | None:
            before = self.answered("loop")
            answer = caller.ask(path, query, **headers)
            return answer if self.answered("loop") == before + 1 else None

        found = eventually(ask, f"an inline answer to {path}")
        assert found is not None
        return found

    def from_thread(self, caller: Caller, path: str, query: str = "", **headers: str) -> requests.Response:
        """An answer that a thread gave: to the first request of a connection."""
        caller.close()
        before = self.answered("thread")
        answer = caller.ask(path, query, **headers)
        assert self.answered("thread") == before + 1
        return answer
