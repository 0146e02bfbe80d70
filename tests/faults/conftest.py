"""One running platform per module, and the account and token that its clients use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.testing.platform import Platform

FEED = ["--provider", "synthetic", "--products", "NIFTY,BANKNIFTY", "--interval", "0.5", "--seed", "7"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(Path(tmp_path_factory.mktemp("platform")), feed_arguments=FEED)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    account = {"email": "witness@example.com", "password": "a witness of every fault"}
    auth = f"{platform.url('auth')}/api/v1/auth"
    assert requests.post(f"{auth}/register", json=account, timeout=5).status_code == 201
    answer = requests.post(f"{auth}/login", json=account, timeout=5)
    return str(answer.json()["access_token"])
