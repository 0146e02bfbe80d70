"""``python -m aro.testing.load``: many socket clients of a running platform, each watched for holes and disorder."""

import argparse
import secrets
import sys
import time
from typing import Any, Final

import requests

from aro.testing.continuity import Truth
from aro.testing.crowd import Crowd, Member

SOCKETS_PER_ACCOUNT: Final = 10
"""As many as a gateway allows by default."""
REQUEST_SECONDS: Final = 15.0
SUBSCRIBE_SECONDS: Final = 60.0


class Watcher(Member):
    """Notes the age of what it is told: milliseconds from the source's time stamp to here."""

    def __init__(self, token: str, channels: list[str], truth: Truth) -> None:
        super().__init__(token, channels, truth)
        self.ages: list[float] = []

    def packet(self, kind: str, data: Any, link: Any) -> None:
        if kind == "2" and data[0] == "update":
            self.ages.append(time.time() * 1000 - data[1]["data"]["source_ts"])
        super().packet(kind, data, link)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m aro.testing.load")
    parser.add_argument("--api", default="http://127.0.0.1:8000", help="the api-gateway")
    parser.add_argument("--port", type=int, default=8010, help="of the socket-gateway, which must be on 127.0.0.1")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    tokens = [account(f"{options.api}/api/v1") for _ in range(-(-options.clients // SOCKETS_PER_ACCOUNT))]
    channels = live_channels(f"{options.api}/api/v1", tokens[0])
    truth = Truth()
    watchers = [Watcher(tokens[n // SOCKETS_PER_ACCOUNT], channels, truth) for n in range(options.clients)]
    return run(Crowd(options.port, watchers), watchers, options.seconds)


def run(crowd: Crowd, watchers: list[Watcher], seconds: float) -> int:
    """0 if all were subscribed and nobody was misled."""
    crowd.start()
    try:
        until = time.monotonic() + SUBSCRIBE_SECONDS
        while crowd.subscribed() < len(watchers) and time.monotonic() < until:
            time.sleep(0.1)
        subscribed, begun, told = crowd.subscribed(), time.monotonic(), crowd.told()["update"]
        time.sleep(seconds)
        rate = (crowd.told()["update"] - told) / (time.monotonic() - begun)
        ages = sorted(age for watcher in watchers for age in list(watcher.ages))
        faults = crowd.faults()
    finally:
        crowd.stop()
    report = [
        f"{subscribed} of {len(watchers)} clients subscribed; refused: {dict(crowd.problems())}",
        f"{rate:,.0f} updates a second; told in all: {dict(crowd.told())}",
        "age on arrival: " + (_percentiles(ages) if ages else "nothing arrived"),
        *(faults or ["no hole, nothing out of order"]),
    ]
    print(*report, sep="\n")  # noqa: T201 - a command line talks to a person
    return 0 if ages and not faults and subscribed == len(watchers) else 1


def _percentiles(ages: list[float]) -> str:
    """`ages` in order, milliseconds."""
    p50, p99 = ages[len(ages) // 2], ages[len(ages) * 99 // 100]
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, at most {ages[-1]:.0f} ms"


def account(api: str) -> str:
    """The access token of a new one."""
    body = {"email": f"load-{secrets.token_hex(8)}@example.com", "password": secrets.token_urlsafe(18)}
    answer(requests.post(f"{api}/auth/register", json=body, timeout=REQUEST_SECONDS))
    token: str = answer(requests.post(f"{api}/auth/login", json=body, timeout=REQUEST_SECONDS))["access_token"]
    return token


def live_channels(api: str, token: str) -> list[str]:
    """The metrics of all products that have data."""
    headers = {"Authorization": f"Bearer {token}"}
    products = answer(requests.get(f"{api}/products", headers=headers, timeout=REQUEST_SECONDS))["products"]
    return [f"metrics:{product['product']}:*" for product in products if product["has_data"]]


def answer(response: requests.Response) -> dict[str, Any]:
    if not response.ok:
        raise SystemExit(f"{response.url}: {response.status_code} {response.text[:200]}")
    found: dict[str, Any] = response.json()
    return found


if __name__ == "__main__":
    sys.exit(main())
