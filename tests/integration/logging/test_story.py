"""One id finds the way of a real snapshot and of a real request through all processes that had it in hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.adapters.clock import SystemClock
from aro.adapters.live import LiveReader
from aro.adapters.tokens import ROLE_ADMIN, TokenIssuer
from aro.contracts.names import parse_channel, snapshot_id, tick_id
from aro.testing.eventually import eventually
from aro.testing.platform import Platform
from auth_service.keys import load_or_create

STAGES = ["feed-generator", "worker-enricher-consume", "worker-enricher-work", "socket-gateway"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(Path(tmp_path_factory.mktemp("story")), feed_arguments=["--products", "NIFTY,SPY"])
    try:
        made.start(("auth", "logging", "gateway", "consume", "work", "feed"))
        yield made
    finally:
        made.stop()


def ask(platform: Platform, **query: Any) -> list[dict[str, Any]]:
    key = load_or_create(platform.directory / "keys")
    names = {"issuer": "option-aro-auth", "audience": "option-aro"}
    token = TokenIssuer(key.private, key.kid, clock=SystemClock(), **names).issue("an-admin", ROLE_ADMIN)
    answer = requests.get(
        f"{platform.url('logging')}/api/v1/logs",
        params={"order": "oldest", **query},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def told_by(items: list[Any]) -> set[str]:
    return {item["service.name"] for item in items}


@pytest.mark.e2e
def test_a_snapshot_and_its_tick_are_followed_from_feed_to_gateway(platform: Platform) -> None:
    reader = LiveReader(platform.redis.client())

    def live() -> set[str]:
        """Ids of the snapshots and ticks that are the latest now."""
        positions = reader.positions(reader.channels())
        parsed = [(parse_channel(name), position) for name, position in positions.items() if position is not None]
        chains = {
            snapshot_id(str(channel.product), str(channel.expiry), position.source_seq)
            for channel, position in parsed
            if channel.kind == "chain"
        }
        ticks = {
            tick_id(str(channel.product), position.source_seq)
            for channel, position in parsed
            if channel.kind == "ticks"
        }
        return chains | ticks if chains and ticks else set()

    ids = eventually(live, "something live", seconds=30)
    assert {len(text.split("|")) for text in ids} == {2, 3}
    for text in ids:
        told = eventually(
            lambda text=text: items if set(STAGES) <= told_by(items := ask(platform, request_id=text)) else [],
            f"the story of {text}",
            seconds=20,
            interval=0.5,
        )
        # The line of a batch is written when it is done, and clients may have it by then; a gateway may pass on metrics
        # and chain of a snapshot in two bursts.
        services = list(dict.fromkeys(item["service.name"] for item in told))
        assert (services[:2], sorted(services[2:])) == (STAGES[:2], sorted(STAGES[2:]))
        assert all(text in item["trace.ids"] for item in told)
        [enriched] = [item for item in told if item["service.name"] == "worker-enricher-work"]
        assert enriched["labels"]["stored"] is True


@pytest.mark.e2e
def test_a_request_is_found_by_its_id(platform: Platform) -> None:
    headers = {"X-Request-ID": "story-of-a-request"}
    login = f"{platform.url('auth')}/api/v1/auth/login"
    body = {"email": "nobody@example.com", "password": "a wrong password"}
    assert requests.post(login, json=body, headers=headers, timeout=10).status_code == 401
    told = eventually(lambda: ask(platform, request_id="story-of-a-request"), "its lines", seconds=20, interval=0.5)
    assert {item["service.name"] for item in told} == {"auth"}
    assert "authn_login_fail" in {item.get("event.action") for item in told}
    assert [item["http.response.status_code"] for item in told if item["message"] == "request"] == [401]
    assert "a wrong password" not in str(told)
