"""The gateway at a steady rate while the whole platform runs with its default feed, on the same machine."""

import asyncio
import secrets
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import market
import requests
import steady

from aro.adapters.embedded import LOOPBACK
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

RATE = 300.0
CLIENTS = 30
ROUNDS = 5
SECONDS = 6.0
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
        rounds = [
            asyncio.run(steady.poll(LOOPBACK, port, head, rate=RATE, clients=CLIENTS, seconds=SECONDS))
            for _ in range(ROUNDS)
        ]
    finally:
        platform.stop()
    statuses = Counter({status: 0 for found in rounds for status in found.of})
    for found in rounds:
        statuses.update({status: len(each) for status, each in found.of.items()})
    return {
        "what": "beside the default feed",
        "server": "api-gateway",
        "requests_per_second": round(statuses.total() / ROUNDS / SECONDS),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "p50_ms": round(median(found.percentile(50) for found in rounds), 2),
        "p99_ms": round(median(found.percentile(99) for found in rounds), 2),
        "p99_ms_of_rounds": [round(found.percentile(99), 2) for found in rounds],
        "max_ms": round(max(found.percentile(100) for found in rounds), 2),
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
    rounds = ", ".join(map(str, row["p99_ms_of_rounds"]))
    return (
        f"{row['requests_per_second']} requests/s beside the default feed ({statuses}): p50 {row['p50_ms']} ms, "
        f"p99 {row['p99_ms']} ms (rounds: {rounds}), slowest {row['max_ms']} ms"
    )
