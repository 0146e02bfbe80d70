"""The gateway at a steady rate while the whole platform runs with its default feed, on the same machine."""

import asyncio
import secrets
import time
from pathlib import Path
from typing import Any

import market
import requests
import steady

from aro.adapters.embedded import LOOPBACK
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

RATE = 300.0
CLIENTS = 30
SECONDS = 20.0
WARM_SECONDS = 3.0
LIMITS = {"ARO_REQUESTS_PER_USER": "1000000", "ARO_REQUESTS_PER_ADDRESS": "1000000"}


def run(directory: Path) -> dict[str, Any]:
    platform = Platform(directory, environ=LIMITS)
    try:
        platform.start()
        token, target = log_in(platform), f"/api/v1/chains/{market.PRODUCT}"
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {token}"
        eventually(lambda: "X-Seq" in session.get(platform.url("api") + target, timeout=5).headers, "a live chain")
        head = (
            f"GET {target} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer {token}\r\n"
        )
        port = platform.ports["api"]
        asyncio.run(steady.poll(LOOPBACK, port, head, rate=RATE, clients=CLIENTS, seconds=WARM_SECONDS))
        found = asyncio.run(steady.poll(LOOPBACK, port, head, rate=RATE, clients=CLIENTS, seconds=SECONDS))
    finally:
        platform.stop()
    return {
        "what": "beside the default feed",
        "server": "api-gateway",
        "requests_per_second": round(len(found.all()) / SECONDS),
        "statuses": {str(status): len(each) for status, each in sorted(found.of.items())},
        "p50_ms": round(found.percentile(50), 2),
        "p99_ms": round(found.percentile(99), 2),
        "p999_ms": round(found.percentile(99.9), 2),
        "max_ms": round(found.percentile(100), 2),
    }


def log_in(platform: Platform) -> str:
    account = {"email": f"bench{time.time_ns()}@example.com", "password": secrets.token_urlsafe(16)}
    auth = f"{platform.url('api')}/api/v1/auth"
    requests.post(f"{auth}/register", json=account, timeout=10).raise_for_status()
    answer = requests.post(f"{auth}/login", json=account, timeout=10)
    answer.raise_for_status()
    token: str = answer.json()["access_token"]
    return token


def line(row: dict[str, Any]) -> str:
    statuses = ", ".join(f"{count:,} x {status}" for status, count in row["statuses"].items())
    return (
        f"{row['requests_per_second']} requests/s beside the default feed ({statuses}): "
        f"p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms, p99.9 {row['p999_ms']} ms, slowest {row['max_ms']} ms"
    )
