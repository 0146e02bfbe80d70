"""An hour of history for a platform that runs: synthetic snapshots of the past, through the real pipeline."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from local.home import Home
from local.processes import MARK
from local.programs import LOOPBACK, FeedOptions, environment
from local.settings import LocalSettings

PAGE: Final = 1_000
_HTTP_SECONDS: Final = 30.0
_HTTP_OK: Final = 200


class SeedError(Exception):
    """History was not filled; the text is for a person."""


def backfill(home: Home, settings: LocalSettings, feed: FeedOptions, *, seconds: int, step: int) -> str:
    """Fill the last `seconds` in steps of `step` seconds and return when all is stored; the feed's own last word."""
    chosen = ["--products", ",".join(feed.products)] if feed.products else []
    command = [sys.executable, "-m", "feed_generator", "--backfill", str(seconds), "--interval", str(step), *chosen]
    result = subprocess.run(
        command,
        env={
            **os.environ,
            **environment(home, settings, home.redis_password()),
            "ARO_OPERATIONS_PORT": str(settings.feed_port),
            MARK: str(home.path),
        },
        cwd=home.run,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines()
    if result.returncode != 0:
        raise SeedError(lines[-1] if lines else f"feed-generator ended with {result.returncode}")
    return lines[-1]


def stored(settings: LocalSettings, token: str, *, seconds: int) -> list[tuple[str, int, int, str]]:
    """(product, ticks, expiries, time of the first tick) that storage serves of the last `seconds`."""
    since = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")
    rows: list[tuple[str, int, int, str]] = []
    for product in _get(settings, token, "/api/v1/products", {})["products"]:
        name = product["product"]
        ticks = _pages(settings, token, f"/api/v1/ticks/{quote(name)}/history", {"from": since})
        if ticks:
            expiries = _get(settings, token, f"/api/v1/products/{quote(name)}/expiries", {})["expiries"]
            rows.append((name, len(ticks), len(expiries), ticks[0]["source_time"]))
    return rows


def table(rows: Sequence[tuple[str, int, int, str]]) -> str:
    lines = [f"{'product':<12} {'ticks':>6} {'expiries':>9}  since"]
    return "\n".join(
        [*lines, *(f"{name:<12} {ticks:>6} {expiries:>9}  {since}" for name, ticks, expiries, since in rows)]
    )


def _pages(settings: LocalSettings, token: str, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = _get(settings, token, path, {**query, "limit": str(PAGE), **({"cursor": cursor} if cursor else {})})
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def _get(settings: LocalSettings, token: str, path: str, query: dict[str, str]) -> Any:
    connection = http.client.HTTPConnection(LOOPBACK, settings.api_port, timeout=_HTTP_SECONDS)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SeedError(f"the api-gateway does not answer: {type(error).__name__}") from None
    finally:
        connection.close()
    if answer.status != _HTTP_OK:
        raise SeedError(f"the api-gateway answers {answer.status} to {path}")
    return json.loads(body)
