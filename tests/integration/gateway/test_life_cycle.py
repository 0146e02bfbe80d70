"""Start, health, and an orderly end."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.runtime.metrics import DECLARED
from aro.testing.eventually import eventually
from socket_gateway import metrics


def test_health_and_metrics_are_public(stack: Any) -> None:
    for path in ("livez", "readyz", "health"):
        answer = requests.get(f"{stack.gateway.url}/{path}", timeout=5)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert requests.get(f"{stack.gateway.url}/nothing", timeout=5).status_code == 404


def test_every_declared_metric_is_served(stack: Any) -> None:
    assert metrics.connections is not None
    served = requests.get(f"{stack.gateway.url}/metrics", timeout=5).text
    missing = [name for name in DECLARED if f"# TYPE {name}" not in served]
    assert not [name for name in missing if name.startswith(("ws_", "gateway_", "eventloop_", "topic_", "end_to_end_"))]


def test_what_passes_through_is_measured(stack: Any) -> None:
    channel = stack.chain()
    stack.seed(channel)
    before = stack.gateway.metric("gateway_pubsub_lag_seconds_count")
    with stack.connected() as raw:
        raw.subscribe(channel)
        assert stack.gateway.metric("ws_subscriptions") == 1
        stack.publish(channel)
        raw.next_of("update", channel)
    assert stack.gateway.metric("gateway_pubsub_lag_seconds_count") == before + 1
    assert stack.gateway.metric("end_to_end_latency_seconds_count", kind="chain") >= 1
    assert stack.gateway.metric("ws_messages_sent_total", event="update") >= 1
    eventually(lambda: stack.gateway.metric("topic_age_seconds", product="NIFTY") > 0, "the age to be published")
    assert stack.gateway.metric("eventloop_lag_seconds") < 1


def test_sigterm_tells_everyone_and_ends_well(make_stack: Any) -> None:
    stack = make_stack()
    channel = stack.chain()
    stack.seed(channel)
    clients = [stack.connected() for _ in range(20)]
    for raw in clients:
        raw.subscribe(channel)
    assert stack.gateway.stop(seconds=8) == 0
    for raw in clients:
        assert 0 <= raw.next_of("draining")["retry_after"] <= 10
        raw.until_closed()
        # No Socket.IO disconnect: official clients take that for good and would not come back.
        assert "disconnect" not in [name for name, _ in raw.seen]
        raw.__exit__()
    assert "Traceback" not in stack.gateway.output()


def test_a_drain_is_spread_and_ends_in_time(make_stack: Any) -> None:
    """300 sockets: nobody is cut off before it was told, the ends are spread, and it is over well before a kill."""
    stack = make_stack(ARO_GATEWAY_DRAIN_SECONDS="2")
    clients = [stack.connected() for _ in range(300)]
    began = time.monotonic()
    stack.gateway.signal(signal.SIGTERM)
    ended: dict[Any, float] = {}
    told = []
    while len(ended) < len(clients):
        for raw in [raw for raw in clients if raw not in ended]:
            kind = raw.poll()
            if kind == "draining":
                told.append(raw.seen[-1][1]["retry_after"])
            elif kind == "close":
                ended[raw] = time.monotonic() - began
        assert time.monotonic() - began < 10
    took = sorted(ended.values())
    assert stack.gateway.stop() == 0
    assert time.monotonic() - began < 8
    assert len(told) == len(clients), "each was told before it was closed"
    assert max(told) - min(told) > 5, "and to come back at a time of its own"
    assert took[-1] - took[0] > 1, "the ends are spread"
    assert took[len(took) // 2] - took[0] > 0.4
    for raw in clients:
        raw.__exit__()


def test_a_draining_gateway_takes_no_new_sockets(make_stack: Any) -> None:
    stack = make_stack(ARO_GATEWAY_DRAIN_SECONDS="3")
    with contextlib.ExitStack() as opened:
        for _ in range(100):
            opened.enter_context(stack.connected())
        stack.gateway.signal(signal.SIGTERM)
        eventually(lambda: not stack.gateway.is_ready(), "the gateway to say that it goes")
        with pytest.raises(stack.refused) as caught:
            stack.wire()
        assert (caught.value.status, int(caught.value.headers["retry-after"]) >= 1) == (503, True)
        assert stack.gateway.metric("ws_connects_total", result="draining") == 1
        assert stack.gateway.stop() == 0


HANGING = """
import eventlet
eventlet.monkey_patch()
import signal
from socket_gateway.process import run

def hang_here(*_):
    while True:
        pass

signal.signal(signal.SIGUSR1, hang_here)
raise SystemExit(run())
"""


def test_a_gateway_that_hangs_is_seen_and_ends_itself(stack: Any, tmp_path: Path) -> None:
    """Nothing that must see it needs the loop that hangs: probes run out of time, and a timer in C ends the process."""
    script = tmp_path / "hanging.py"
    script.write_text(HANGING)
    gateway = type(stack.gateway)(tmp_path, stack.redis.url, stack.auth.url, ARO_GATEWAY_STUCK_SECONDS="6")
    gateway.command[1:] = [str(script)]
    gateway.start()
    try:
        assert probe(gateway.port) == 0
        gateway.signal(signal.SIGUSR1)
        hung = time.monotonic()
        assert probe(gateway.port) == 1, "what HEALTHCHECK runs"
        with pytest.raises(requests.Timeout):
            requests.get(f"{gateway.url}/livez", timeout=1)  # kubelet waits 3 s
        eventually(lambda: not gateway.is_running, "the process to end itself", seconds=10)
        assert 4 < time.monotonic() - hung < 9
        assert gateway.stop() == 1
        assert "hang_here" in gateway.output(), "the log says where it hung"
    finally:
        gateway.kill()


def test_a_busy_gateway_is_not_taken_for_a_hung_one(stack: Any, tmp_path: Path) -> None:
    gateway = type(stack.gateway)(tmp_path, stack.redis.url, stack.auth.url, ARO_GATEWAY_STUCK_SECONDS="2")
    gateway.start()
    try:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            assert gateway.metric("ws_connections") == 0
        assert gateway.stop() == 0
    finally:
        gateway.kill()


def probe(port: int) -> int:
    """Exit code of the image's HEALTHCHECK."""
    command = [sys.executable, "-m", "aro.runtime.probe"]
    return subprocess.run(command, env={"ARO_PORT": str(port)}, capture_output=True, timeout=10).returncode


def test_missing_settings_are_all_named() -> None:
    done = subprocess.run([sys.executable, "-m", "socket_gateway"], env={}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    for name in ("ARO_REDIS_URL", "ARO_JWKS_URL", "ARO_PORT"):
        assert name in done.stderr
    assert "Deprecation" not in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ARO_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("ARO_TRUSTED_PROXIES", "balancer"),
        ("ARO_CORS_ORIGINS", "*"),
        ("ARO_CORS_ORIGINS", "https://app.example/"),
    ],
)
def test_nonsense_is_refused_at_start(name: str, text: str) -> None:
    environ = {"ARO_REDIS_URL": "redis://127.0.0.1:1/0", "ARO_JWKS_URL": "http://127.0.0.1:1/", "ARO_PORT": "1"}
    command = [sys.executable, "-m", "socket_gateway"]
    done = subprocess.run(command, env={**environ, name: text}, capture_output=True, text=True, timeout=30)
    assert (done.returncode, name in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_too_few_files_for_the_sockets_are_refused_at_start() -> None:
    environ = {
        "ARO_REDIS_URL": "redis://127.0.0.1:1/0",
        "ARO_JWKS_URL": "http://127.0.0.1:1/",
        "ARO_PORT": "1",
        "ARO_GATEWAY_MAX_SOCKETS": "2000000000",
    }
    done = subprocess.run(
        [sys.executable, "-m", "socket_gateway"], env=environ, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, "open files" in done.stderr) == (2, True)


def test_a_taken_port_ends_the_process(stack: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environ = {**stack.gateway.settings, "ARO_PORT": str(taken.getsockname()[1])}
        done = subprocess.run(
            [sys.executable, "-m", "socket_gateway"], env=environ, capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1
    assert "cannot serve" in done.stdout
