"""What was served live is served again: ``as_of`` with the source time of an answer gives the same bytes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.platform import Platform

PRODUCTS = ("NIFTY", "SPY")
LOOKS = {
    "/api/v1/chains/{}": ("", "strikes=atm:3&fields=spot,iv,delta", "shape=rows&fields=bid,ask"),
    "/api/v1/chains/{}/metrics": ("", "fields=pcr_oi,max_pain"),
    "/api/v1/analytics/{}/surface": ("",),
}
SERVICES = ("auth", "storage", "analytics", "api", "consume", "work", "beat", "feed")


@dataclass(frozen=True, slots=True)
class Served:
    """One answer and how it was asked for."""

    path: str
    query: str
    accept: str
    as_of: str
    body: bytes

    @property
    def asked_again(self) -> str:
        return "&".join(part for part in (self.query, f"as_of={self.as_of.replace('+', '%2B')}") if part)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    feed = ["--products", ",".join(PRODUCTS), "--interval", "0.5", "--seed", "11"]
    unlimited = {"ARO_REQUESTS_PER_USER": "1000000", "ARO_REQUESTS_PER_ADDRESS": "1000000"}
    running = Platform(Path(tmp_path_factory.mktemp("as-of")), feed_arguments=feed, environ=unlimited)
    try:
        running.start(SERVICES)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def reader(platform: Platform) -> Iterator[requests.Session]:
    account = {"email": "historian@example.com", "password": "what was it then, exactly"}
    auth = f"{platform.url('api')}/api/v1/auth"
    requests.post(f"{auth}/register", json=account, timeout=10).raise_for_status()
    token = requests.post(f"{auth}/login", json=account, timeout=10).json()["access_token"]
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


def ask(platform: Platform, reader: requests.Session, path: str, query: str, accept: str) -> requests.Response:
    target = f"{platform.url('api')}{path}{f'?{query}' if query else ''}"
    return reader.get(target, headers={"Accept": accept}, timeout=10)


def live_expiries(platform: Platform, reader: requests.Session, product: str) -> list[str]:
    """The two nearest ones; all of them would be asked for too seldom."""
    answer = reader.get(f"{platform.url('api')}/api/v1/products/{product}/expiries", timeout=10)
    return [item["expiry"] for item in answer.json()["expiries"] if not item["expired"]][:2]


def questions(platform: Platform, reader: requests.Session) -> Iterator[tuple[str, str, str]]:
    """(path, query, accept): with and without an expiry, in every look, and as CSV."""
    for product in PRODUCTS:
        for template, looks in LOOKS.items():
            path = template.format(product)
            for look in looks:
                yield path, look, "application/json"
            if "chains" in path:
                yield path, "", "text/csv"
                for expiry in live_expiries(platform, reader, product):
                    yield path, f"expiry={expiry}", "application/json"


def record(platform: Platform, reader: requests.Session, seconds: float) -> list[Served]:
    """Every state that was seen of every question, asked one after the other for so long."""
    asked = list(questions(platform, reader))
    seen: dict[tuple[str, str, str, str], Served] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for path, query, accept in asked:
            answer = ask(platform, reader, path, query, accept)
            assert answer.status_code == 200, f"{path}?{query}: {answer.text}"
            as_of = answer.headers["As-Of"]
            assert "X-Seq" in answer.headers, f"{path} did not come from the fast path"
            served = Served(path, query, accept, as_of, answer.content)
            before = seen.setdefault((path, query, accept, as_of), served)
            assert before.body == served.body, f"two answers for {path} at {as_of}"
    return list(seen.values())


def is_live(platform: Platform, reader: requests.Session, path: str) -> bool:
    return "X-Seq" in ask(platform, reader, path, "", "application/json").headers


@pytest.mark.e2e
def test_every_live_answer_can_be_had_again(
    platform: Platform, reader: requests.Session, pytestconfig: pytest.Config
) -> None:
    for product in PRODUCTS:
        for template in LOOKS:
            path = template.format(product)
            eventually(partial(is_live, platform, reader, path), f"{path} to be live", seconds=30)
    seconds = pytestconfig.getoption("as_of_seconds")
    served = record(platform, reader, seconds)
    assert len({item.as_of for item in served if "surface" not in item.path}) >= seconds / 2
    assert {item.path for item in served} == {template.format(name) for name in PRODUCTS for template in LOOKS}
    different = []
    for item in served:
        again = ask(platform, reader, item.path, item.asked_again, item.accept)
        if (again.status_code, again.content, again.headers.get("As-Of")) != (200, item.body, item.as_of):
            different.append(f"{item.path}?{item.asked_again} ({item.accept}): {again.status_code} {again.text[:300]}")
    assert different == [], f"{len(different)} of {len(served)} differ"
