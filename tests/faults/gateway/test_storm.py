"""Gateways die or are replaced under many clients: all come back by themselves, to the right state, without a login."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import option_aro_client as official
import psutil
import pytest

from aro.testing.balancer import Balancer
from aro.testing.crowd import Crowd
from aro.testing.eventually import eventually

pytestmark = pytest.mark.fault

BACK_SECONDS = 10.0


def fresh(crowd: Crowd, since: float) -> bool:
    """Whether every member was told on each of its channels what was published after `since`."""
    return all(
        {channel for arrived, channel, at in reversed(member.heard[-50:]) if arrived > since and at > since}
        >= set(member.channels)
        for member in crowd.members
    )


def test_everybody_is_back_after_kill_9(
    estate: Callable[..., Any], request: pytest.FixtureRequest, note: Callable[..., None]
) -> None:
    count = request.config.getoption("--storm-clients")
    running = estate(gateways=1, hertz=4.0)
    [gateway] = running.gateways
    channels = list(running.final())[:2]
    crowd = running.crowd(gateway.port, [running.member(number, channels) for number in range(count)])
    eventually(lambda: crowd.subscribed() == count, "everybody to be there", seconds=30)

    gateway.kill()
    asked = dict(running.issuer.asked)
    restarted = time.monotonic()
    gateway.start()
    ready = time.monotonic()
    eventually(lambda: crowd.subscribed(since=restarted) == count, "everybody to be back", seconds=BACK_SECONDS)
    back = time.monotonic()
    used = psutil.Process(gateway.pid).cpu_times()
    eventually(lambda: fresh(crowd, restarted), "fresh states for everybody", seconds=BACK_SECONDS)
    right = time.monotonic()
    running.settle(crowd)

    note(
        clients=count,
        seconds_until_ready=ready - restarted,
        seconds_until_all_were_back=back - restarted,
        seconds_until_all_were_fresh=right - restarted,
        processor_seconds=used.user + used.system,
        told=dict(crowd.told()),
        refused=dict(crowd.problems()),
    )
    assert right - restarted <= BACK_SECONDS
    assert crowd.told()["recovered"] == count * len(channels), "the log outlives the gateway"
    assert crowd.told()["skipped"] == 0
    # The gateway has no MongoDB at all, and tokens outlive it: nobody logs in, and keys are fetched once.
    assert "ARO_MONGO_URL" not in gateway.settings
    assert running.issuer.asked["POST"] == 0
    assert running.issuer.asked["GET"] - asked["GET"] <= 2


def test_a_rolling_restart_loses_nothing_unsaid(estate: Callable[..., Any], note: Callable[..., None]) -> None:
    running = estate(gateways=2, hertz=20.0, ARO_GATEWAY_DRAIN_SECONDS="1")
    balancer = Balancer([gateway.port for gateway in running.gateways])
    balancer.start()
    with closing(_Stopping(balancer)):
        eventually(lambda: len(balancer.ready()) == 2, "both gateways to be ready")
        forms: list[dict[str, Any]] = [{}, {"delta": True, "encoding": "deflate"}]
        members = [running.member(number, apply=official.apply_patch, **forms[number % 2]) for number in range(40)]
        crowd = running.crowd(balancer.port, members)
        eventually(lambda: crowd.subscribed() == 40, "everybody to be there")
        assert min(balancer.connections().values()) > 0, "both gateways serve"

        began = time.monotonic()
        for gateway in running.gateways:
            assert gateway.stop() == 0
            gateway.start()
        rolled = time.monotonic()
        # Everybody was asked to come back within ten seconds.
        eventually(lambda: min(m.connects for m in crowd.members) >= 2, "everybody to have moved", seconds=15)
        eventually(lambda: crowd.subscribed() == 40, "everybody to be back", seconds=15)
        back = time.monotonic()
        eventually(lambda: fresh(crowd, back), "fresh states for everybody")
        running.settle(crowd)
        told = crowd.told()
        note(seconds_rolled=rolled - began, seconds_until_back=back - began, told=dict(told))
        assert told["draining"] >= 40
        assert told["not recovered"] == 0
        assert told["skipped"] == 0, "all that was missed was replayed"


class _Stopping:
    def __init__(self, balancer: Balancer) -> None:
        self.close = balancer.stop
