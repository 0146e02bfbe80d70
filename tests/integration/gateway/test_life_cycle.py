"""Start, health, and an orderly end."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_missing_settings_are_all_named() -> None:
    done = subprocess.run([sys.executable, "-m", "socket_gateway"], env={}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    for name in ("ARO_REDIS_URL", "ARO_JWKS_URL", "ARO_PORT"):
        assert name in done.stderr
    assert "Deprecation" not in done.stderr


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
