"""What the api-gateway served live, it serves again with `as_of`: the same bytes, while the market goes on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.platform import Platform

pytestmark = pytest.mark.e2e

RECORDING_SECONDS = 15.0
ACCOUNT = {"email": "historian@example.com", "password": "an uncommon passphrase"}
PATHS = ("/api/v1/chains/NIFTY", "/api/v1/chains/NIFTY/metrics", "/api/v1/chains/NIFTY?strikes=atm:3&fields=iv,spot")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    feed = ["--products", "NIFTY", "--interval", "0.4", "--seed", "5"]
    limits = {"ARO_REQUESTS_PER_USER": "1000000", "ARO_REQUESTS_PER_ADDRESS": "1000000"}
    running = Platform(Path(tmp_path_factory.mktemp("as-of")), feed_arguments=feed, environ=limits)
    try:
        running.start(("auth", "storage", "api", "consume", "work", "feed"))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def session(platform: Platform) -> Iterator[requests.Session]:
    for route in ("register", "login"):
        answer = requests.post(f"{platform.url('auth')}/api/v1/auth/{route}", json=ACCOUNT, timeout=10)
    with requests.Session() as opened:
        opened.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield opened


def test_the_past_is_what_was_served_then(platform: Platform, session: requests.Session) -> None:
    api = platform.url("api")
    for path in PATHS:
        eventually(lambda path=path: session.get(f"{api}{path}", timeout=10).status_code == 200, path, interval=0.2)
    recorded: dict[str, dict[str, tuple[str, bytes]]] = {path: {} for path in PATHS}
    end = time.monotonic() + RECORDING_SECONDS
    while time.monotonic() < end:
        for path, seen in recorded.items():
            answer = session.get(f"{api}{path}", timeout=10)
            seen[answer.json()["id"]] = (answer.headers["As-Of"], answer.content)
    for path, seen in recorded.items():
        assert len(seen) >= 5, path
        for instant, served in seen.values():
            again = session.get(f"{api}{path}", params={"as_of": instant}, timeout=10)
            assert again.status_code == 200, again.text
            assert again.headers["As-Of"] == instant
            assert again.content == served
