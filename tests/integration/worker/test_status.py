"""The ``status`` channel about real processes: what works, who listens, who is gone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import requests
import socketio

from aro.adapters.clock import SystemClock
from aro.adapters.live import LivePublisher, LiveReader
from aro.adapters.vitals import VitalsStore
from aro.contracts.names import CHANNEL_STATUS
from aro.contracts.status import PlatformStatus
from aro.testing.eventually import eventually
from aro.testing.platform import Platform
from worker_enricher.status import StatusDesk

SERVICES = ("auth", "gateway", "consume", "work", "beat", "feed")
ACCOUNT = {"email": "status@example.com", "password": "a password for the status"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(
        Path(tmp_path_factory.mktemp("status")),
        feed_arguments=["--products", "NIFTY", "--interval", "0.5", "--seed", "7"],
        environ={"ARO_WORKER_CONCURRENCY": "2"},
    )
    try:
        running.start(SERVICES)
        yield running
    finally:
        running.stop()


def status_of(platform: Platform) -> PlatformStatus:
    state = LiveReader(platform.redis.client()).state(CHANNEL_STATUS)
    assert state is not None, "no status yet"
    return msgspec.json.decode(state.data, type=PlatformStatus)


def soon(platform: Platform, holds: Callable[[PlatformStatus], object], what: str) -> PlatformStatus:
    """The first status for which `holds`."""

    def found() -> PlatformStatus | None:
        status = status_of(platform)
        return status if holds(status) else None

    return eventually(found, what, seconds=30)


def services(status: PlatformStatus) -> list[str]:
    return [process.service for process in status.processes]


def test_every_process_is_listed(platform: Platform) -> None:
    expected = {
        *("auth", "feed-generator", "socket-gateway"),
        *("worker-enricher-beat", "worker-enricher-consume", "worker-enricher-work"),
    }
    status = soon(platform, lambda status: set(services(status)) == expected, "all processes")
    soon(platform, lambda status: services(status).count("worker-enricher-work") == 2, "both children of role work")
    assert all(process.memory_bytes for process in status.processes)


def test_stages_and_latency_are_measured(platform: Platform) -> None:
    def measured(status: PlatformStatus) -> bool:
        pipeline = status.pipeline
        return pipeline is not None and pipeline.chains_per_second > 0 and pipeline.latency.count > 10

    status = soon(platform, measured, "chains to be measured")
    assert status.pipeline is not None
    stages = {stage.stage: stage.latency for stage in status.pipeline.stages}
    assert list(stages) == ["wait", "decode", "compute", "store", "publish"]
    for latency in (*stages.values(), status.pipeline.latency):
        assert sum(latency.counts) == latency.count > 0
        assert latency.mean_ms is not None
        assert latency.p50_ms is not None
        assert latency.p50_ms <= (latency.p99_ms or 0)
    assert status.pipeline.latency.p50_ms >= stages["publish"].p50_ms  # type: ignore[operator]
    assert status.window_ms == 60_000
    assert status.stream_pending.keys() == status.stream_lag.keys() == status.oldest_pending_ms.keys()


def test_a_client_is_counted_and_a_dead_gateway_is_gone(platform: Platform) -> None:
    [before] = soon(platform, lambda status: len(status.gateways) == 1, "the gateway").gateways
    session, auth = requests.Session(), platform.url("auth")
    assert session.post(f"{auth}/api/v1/auth/register", json=ACCOUNT, timeout=10).status_code == 201
    token = session.post(f"{auth}/api/v1/auth/login", json=ACCOUNT, timeout=10).json()["access_token"]
    client = socketio.Client(reconnection=False)
    client.connect(
        platform.url("gateway"), namespaces=["/v1"], transports=["websocket"], auth={"token": token}, wait_timeout=10
    )
    try:
        client.call("subscribe", {"channels": ["ticks:NIFTY", "metrics:NIFTY:*"]}, namespace="/v1", timeout=10)

        def counted(status: PlatformStatus) -> bool:
            [gateway] = status.gateways or [before]
            return gateway.sockets == 1 and gateway.subscriptions > 1 and gateway.messages_per_second > 0

        [gateway] = soon(platform, counted, "the client to be counted").gateways
        assert gateway.latency.count > 0
        assert gateway.slow_disconnects == 0
    finally:
        client.disconnect()
    platform.unguard("gateway")
    platform.processes["gateway"].kill()
    soon(platform, lambda status: "socket-gateway" not in services(status), "the dead gateway to be gone")
    platform.guard("gateway")
    [after] = soon(platform, lambda status: status.gateways, "another gateway").gateways
    assert after.instance != before.instance


def test_vitals_of_another_release_are_left_out(platform: Platform) -> None:
    client = platform.redis.client()
    VitalsStore(client).report("zzzzzz", msgspec.msgpack.encode({"v": 2, "spirits": "high"}))
    desk = StatusDesk(client, LivePublisher(client), SystemClock(), stale_after_ms=3_000)
    assert "zzzzzz" not in [process.instance for process in desk.status().processes]


def test_a_redis_that_comes_back_is_told_again(platform: Platform) -> None:
    platform.redis.restart()
    soon(platform, lambda status: len(services(status)) >= len(SERVICES) and status.pipeline, "everybody to be heard")


def test_a_status_of_the_first_form_can_be_read() -> None:
    first = {"server_ts": 1, "products": [], "stream_lag": {"market:ticks": 0}, "dead_letters": 0}
    read = msgspec.json.decode(msgspec.json.encode(first), type=PlatformStatus)
    assert (read.window_ms, read.pipeline, read.gateways, read.processes) == (0, None, [], [])
