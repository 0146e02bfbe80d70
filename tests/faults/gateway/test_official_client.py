"""The official client behind connections that are cut anywhere, a gateway that dies and a Redis that forgets."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import option_aro_client as official
import pytest
from players import JAVASCRIPT, NEWEST, InNode, install

from aro.testing.balancer import Balancer
from aro.testing.continuity import Truth
from aro.testing.eventually import eventually

pytestmark = pytest.mark.fault

FORMS: list[dict[str, Any]] = [
    {},
    {"delta": True},
    {"delta": True, "encoding": "deflate"},
    {"delta": True, "encoding": "deflate", "max_rate_hz": 5},
]
CUTS = 6


class User:
    """What one person's callbacks were given: every state is true, and none comes before an older one."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._newest = 0.0
        self._at: dict[str, tuple[str, int]] = {}
        self.faults: list[str] = []
        self.notices: list[str] = []
        self.states = 0

    def newest(self) -> float:
        """`at` of the newest data."""
        return self._newest

    def positions(self) -> dict[str, tuple[str, int]]:
        return self._at

    def notice(self, name: str, _: Any) -> None:
        self.notices.append(name)

    def take(self, channel: str, state: dict[str, Any], info: dict[str, Any]) -> None:
        epoch, seq = self._at.get(channel, (None, 0))
        if epoch == info["epoch"] and (info["seq"] != seq + 1 + info["skipped"] or info["skipped"] < 0):
            self.faults.append(f"{channel}: {info} after {seq}")
        if not self._truth.agrees(channel, info["epoch"], info["seq"], state):
            self.faults.append(f"{channel}: {info} is not what was published")
        self._at[channel] = (info["epoch"], info["seq"])
        self._newest = max(self._newest, state["at"])
        self.states += 1


class InPython(User):
    def start(self, url: str, token: str, channels: list[str], form: dict[str, Any]) -> None:
        self._client = official.OptionAro(url, token, on_notice=self.notice)
        self._client.subscribe(channels, self.take, **form)
        self._client.start()

    def stop(self) -> None:
        self._client.close()


class InJavaScript(User):
    def start(self, url: str, token: str, channels: list[str], form: dict[str, Any]) -> None:
        self._read = 0
        self._node = InNode("official.mjs", NEWEST, JAVASCRIPT)
        self._node.start(url, token, token, [(channel, form) for channel in channels])

    def stop(self) -> None:
        self._node.stop()
        self._catch_up()

    def newest(self) -> float:
        self._catch_up()
        return super().newest()

    def positions(self) -> dict[str, tuple[str, int]]:
        self._catch_up()
        return super().positions()

    def _catch_up(self) -> None:
        lines = self._node.lines[self._read :]
        self._read += len(lines)
        for line in lines:
            (self.take if len(line) == 3 else self.notice)(*line)


@pytest.fixture(scope="module")
def packages() -> Path:
    return install()


@pytest.fixture
def balancer() -> Iterator[Callable[[list[int]], Balancer]]:
    made: list[Balancer] = []

    def make(ports: list[int]) -> Balancer:
        made.append(Balancer(ports))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_users_see_true_states_in_order_whatever_breaks(
    estate: Callable[..., Any],
    balancer: Callable[[list[int]], Balancer],
    note: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    packages: Path,
) -> None:
    monkeypatch.setattr(official, "FIRST_PAUSE", 0.1)  # for a test that ends
    running = estate(gateways=1, hertz=40.0)
    [gateway] = running.gateways
    front = balancer([gateway.port])
    url, channels = f"http://127.0.0.1:{front.port}", list(running.final())
    users = [kind(running.truth) for kind in (InPython, InJavaScript) for _ in FORMS]
    for number, (user, form) in enumerate(zip(users, FORMS * 2, strict=True)):
        user.start(url, running.issuer.token(f"user-{number}"), channels, form)
    try:
        for turn in range(CUTS):
            since = time.monotonic()
            eventually(
                lambda since=since: all(user.newest() > since for user in users), f"news before cut {turn}", seconds=15
            )
            if turn == CUTS // 3:
                gateway.restart()
            elif turn == 2 * CUTS // 3:
                with running.redis.client() as client:
                    client.flushall()
            else:
                assert front.cut() == len(users)
        since = time.monotonic()
        eventually(lambda: all(user.newest() > since for user in users), "news after the last cut", seconds=15)
        running.feed.stop()
        final = running.final()
        eventually(lambda: all(user.positions() == final for user in users), "everybody to arrive at the present")
    finally:
        for user in users:
            user.stop()
    told = [name for user in users for name in user.notices]
    note(states=[user.states for user in users], notices={name: told.count(name) for name in sorted(set(told))})
    assert list(itertools.chain.from_iterable(user.faults for user in users)) == []
    assert told.count("connected") >= (CUTS - 1) * len(users)
    assert "hole" not in told, "the gateway leaves none, so nobody had to ask again"
