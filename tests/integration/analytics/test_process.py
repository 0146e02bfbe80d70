"""The service as a process: guarded, described, and honest while a server it needs is away."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.adapters import mongo
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import SystemClock
from aro.adapters.live import LivePublisher, Publication
from aro.adapters.tokens import TokenIssuer
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, metrics_channel
from aro.testing import enriched
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer, RedisServer
from aro.testing.services import HttpService
from auth_service.keys import load_or_create

DATABASE = "aro_analytics_process"
EXPIRY = "2030-01-18"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[RedisServer, MongoServer]]:
    """Its own: they are killed."""
    made = RedisServer(tmp_path / "redis"), MongoServer(tmp_path / "mongo")
    for server in made:
        server.start()
    yield made
    for server in made:
        server.kill()


@pytest.fixture
def service(servers: Any, tmp_path: Path, auth_process: HttpService) -> Iterator[HttpService]:
    settings = {
        "ARO_REDIS_URL": servers[0].url,
        "ARO_MONGO_URL": servers[1].url,
        "ARO_MONGO_DATABASE": DATABASE,
        "ARO_JWKS_URL": f"{auth_process.url}/.well-known/jwks.json",
    }
    made = HttpService("analytics_service", tmp_path, settings)
    made.start()
    yield made
    made.kill()


def test_outages_are_said_and_healed(service: HttpService, servers: Any, auth_process: HttpService) -> None:
    redis, database = servers
    key = load_or_create(Path(auth_process.settings["ARO_AUTH_KEY_DIR"]))
    issuer = TokenIssuer(key.private, key.kid, issuer="option-aro-auth", audience="option-aro", clock=SystemClock())
    bearer = {"Authorization": f"Bearer {issuer.issue('somebody', 'user')}"}
    now = SystemClock().now_ms()
    record = enriched.record(now, expiry=EXPIRY, expiry_ts=now + 86_400_000)
    opened = mongo.connect(servers[1].url, DATABASE)
    ChainStore(opened).ensure()
    ChainStore(opened).save([record])
    opened.client.close()
    client = redis.client()
    LivePublisher(client).publish(
        [
            Publication(metrics_channel("NIFTY", EXPIRY), now, encode_json(record.metrics)),
            Publication(chain_channel("NIFTY", EXPIRY), now, record.data),
        ]
    )
    client.close()

    def asked(path: str, **query: Any) -> tuple[int, float]:
        started = time.monotonic()
        answer = requests.get(f"{service.url}/api/v1{path}", params=query, headers=bearer, timeout=8)
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 503:
            assert answer.json()["code"] == "service_unavailable"
        return answer.status_code, time.monotonic() - started

    live, past, alerts = "/analytics/NIFTY/max-pain", {"as_of": now}, "/alerts"
    assert asked(live)[0] == asked(live, **past)[0] == asked(alerts)[0] == 200
    assert requests.get(f"{service.url}/api/v1{live}", timeout=5).status_code == 401

    database.kill()
    assert asked(live, explain="1")[0] == 200, "live chains need no MongoDB"
    for step in range(3):
        status, seconds = asked(live, as_of=now + 1 + step)
        assert (status, seconds < 3.5) == (503, True)
    eventually(lambda: asked(live, as_of=now + 9)[1] < 0.5, "refusals at once")
    assert requests.get(f"{service.url}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{service.url}/livez", timeout=5).status_code == 200
    database.start()
    eventually(lambda: asked(live, as_of=now + 10)[0] == 200, "the past again", interval=0.2)

    redis.kill()
    assert asked(live, as_of=now + 11)[0] == 200, "the past needs no Redis"
    assert asked(live)[0] == 503
    redis.start()
    eventually(lambda: asked(live)[0] == 200, "live answers again", interval=0.2)


def test_it_describes_itself(service: HttpService) -> None:
    document = requests.get(f"{service.url}/openapi.json", timeout=5).json()
    paths = {path for path in document["paths"] if path.startswith("/api/")}
    names = (
        "pcr straddle strategy oi-change oi-buildup surface smile term-structure variance-index iv-rank gex max-pain "
        "expected-move realised"
    )
    assert paths == {
        *(f"/api/v1/analytics/{{product}}/{name}" for name in names.split()),
        "/api/v1/ohlc/{symbol}",
        "/api/v1/alerts",
        "/api/v1/alerts/{alert_id}",
        "/api/v1/alerts/{alert_id}/events",
        "/api/v1/replay/recordings",
        "/api/v1/replay/sessions",
        "/api/v1/replay/sessions/{replay_id}",
    }
    for path in paths:
        for operation in document["paths"][path].values():
            for status, answer in operation["responses"].items():
                if status in ("200", "201"):
                    assert answer["content"]["application/json"]["example"], path
    text = requests.get(f"{service.url}/metrics", timeout=5).text
    for name in ("analytics_computations_total", "analytics_alerts_watched", "analytics_cache_bytes"):
        assert f"# HELP {name}" in text


def test_without_settings_it_lists_what_is_missing() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    done = subprocess.run(
        [sys.executable, "-m", "analytics_service"], env=own, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("analytics cannot start: ")
    for name in ("ARO_REDIS_URL", "ARO_MONGO_URL", "ARO_JWKS_URL", "ARO_PORT"):
        assert f"{name} is missing" in line
