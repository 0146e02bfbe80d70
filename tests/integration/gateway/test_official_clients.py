"""Clients that people use: python-socketio, Node's socket.io-client, and the examples of this project."""

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import socketio

from aro.testing.eventually import eventually
from aro.testing.ordered_client import OrderedClient
from aro.testing.servers import Process, free_port

ROOT = Path(__file__).parents[3]
METRICS = {"forward": 25_010.5, "iv_atm": 0.1312, "atm_straddle": 412.25, "pcr_oi": 0.7333, "max_pain": 25_000.0}


class Inbox(OrderedClient):
    """An official client that keeps what it is told, in order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.on("*", lambda name, payload: self.received.put((name, payload)), namespace="/v1")
        self.on("connect_error", lambda payload: self.received.put(("connect_error", payload)), namespace="/v1")

    def enter(self, url: str, token: str | None) -> None:
        auth = {"token": token} if token else None
        self.connect(url, namespaces=["/v1"], transports=["websocket"], auth=auth, wait_timeout=5)

    def next_of(self, name: str, *, seconds: float = 5.0) -> Any:
        while True:
            found, payload = self.received.get(timeout=seconds)
            if found == name:
                return payload


def test_python_client_follows_a_channel(stack: Any) -> None:
    channel = stack.chain()
    stack.seed(channel)
    client = Inbox(reconnection=False)
    try:
        client.enter(stack.gateway.url, stack.auth.token())
        answer = client.call("subscribe", {"channels": [channel]}, namespace="/v1", timeout=5)
        assert answer["ok"][0]["seq"] == 1
        assert client.next_of("snapshot")["seq"] == 1
        stack.publish(channel, 5)
        assert client.next_of("update")["data"]["n"] == 5
    finally:
        client.disconnect()


def test_python_client_is_refused_with_a_code(stack: Any) -> None:
    tokens = {"token_missing": None, "token_expired": stack.auth.token(lifetime=-60), "token_invalid": "x"}
    for code, token in tokens.items():
        client = Inbox(reconnection=False)
        with pytest.raises(socketio.exceptions.ConnectionError):
            client.enter(stack.gateway.url, token)
        assert client.next_of("connect_error")["data"]["code"] == code
        client.disconnect()


def test_python_client_comes_back_after_the_gateway_was_killed(make_stack: Any) -> None:
    stack = make_stack()
    channel = stack.chain()
    first = stack.seed(channel)
    client = Inbox(reconnection_delay=0.1, reconnection_delay_max=0.5)
    try:
        client.enter(stack.gateway.url, stack.auth.token())
        client.call("subscribe", {"channels": [channel]}, namespace="/v1", timeout=5)
        client.next_of("snapshot")
        stack.gateway.kill()
        stack.publish(channel, 2)
        stack.publish(channel, 3)
        stack.gateway.start()
        eventually(lambda: stack.gateway.metric("ws_connections") == 1, "the client to be back")
        request = {"channels": [channel], "resume": {channel: {"epoch": first.epoch, "seq": 1}}}
        answer = client.call("subscribe", request, namespace="/v1", timeout=5)
        assert answer["ok"][0]["recovered"] is True, "the log outlives the gateway"
        assert [client.next_of("update")["seq"], client.next_of("update")["seq"]] == [2, 3]
    finally:
        client.disconnect()


@pytest.fixture(scope="module")
def node() -> Path:
    """The Node example, with its packages."""
    assert shutil.which("npm"), "these tests need Node.js and npm"
    if not (ROOT / "scripts" / "node_modules" / "socket.io-client").exists():
        command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=ROOT / "scripts", check=True, timeout=120)
    return ROOT / "scripts" / "subscribe-example.js"


def environment(stack: Any, **changes: str) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    urls = {"ARO_AUTH_URL": stack.auth.url, "ARO_GATEWAY_URL": stack.gateway.url}
    return {**own, **urls, "ARO_EMAIL": "demo@example.com", "ARO_PASSWORD": "right", **changes}


def run(stack: Any, *command: Any, **changes: str) -> subprocess.CompletedProcess[str]:
    environ = environment(stack, **changes)
    return subprocess.run([str(part) for part in command], env=environ, capture_output=True, text=True, timeout=30)


@pytest.fixture(scope="module")
def market(stack: Any) -> Iterator[Any]:
    """The stack with something to show of NIFTY and BANKNIFTY."""
    for product, spot in (("NIFTY", 25_000.35), ("BANKNIFTY", 58_007.2)):
        stack.publish(f"ticks:{product}", product=product, price=spot)
        for expiry in ("2026-11-24", "2026-12-29"):
            stack.publish(f"metrics:{product}:{expiry}", product=product, expiry=expiry, spot=spot, **METRICS)
    stack.seed("metrics:NIFTY:2027-01-26")
    return stack


def test_node_example_prints_the_nearest_expiries(market: Any, node: Path) -> None:
    done = run(market, "node", node, "--count", "4")
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split() == [
        "time",
        "product",
        "expiry",
        "spot",
        "forward",
        "ATM",
        "IV",
        "straddle",
        "PCR",
        "max",
        "pain",
        "seq",
    ]
    cells = {(line.split()[1], len(line.split())): line.split()[2:] for line in lines}
    assert cells["NIFTY", 10] == ["2026-11-24", "25000.35", "25010.50", "13.12%", "412.25", "0.73", "25000", "1"]
    assert cells["BANKNIFTY", 4] == ["58007.20", "1"]
    assert len({len(line) for line in [header, *lines]}) == 1, "columns are aligned"


def test_node_example_takes_channels_and_seconds(market: Any, node: Path) -> None:
    done = run(market, "node", node, "metrics:BANKNIFTY:*", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stdout.splitlines()[1:]] == ["2026-11-24", "2026-12-29"]


def test_node_example_shows_the_atm_strike_of_a_chain(market: Any, node: Path) -> None:
    channel = market.chain()
    leg = {"iv": [0.2, 0.13, None], "mid": [300.0, 210.5, None]}
    expiry = channel.split(":")[2]
    head = {"product": "NIFTY", "expiry": expiry, "spot": 25_000.0, "forward": None, "atm_strike": 25_000.0}
    market.publish(channel, **head, strikes=[24_900.0, 25_000.0, 25_100.0], calls=leg, puts=leg)
    done = run(market, "node", node, channel, "--count", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[1:] == f"NIFTY {expiry} 25000.00 - 13.00% 421.00 - - 1".split()


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "words"),
    [
        (["--count", "none"], {}, 2, "not a positive number"),
        ([], {"ARO_EMAIL": "", "ARO_HOME": "/nonexistent"}, 2, "no demo account"),
        ([], {"ARO_PASSWORD": "wrong"}, 3, "Wrong e-mail or password"),
        ([], {"ARO_TOKEN": "forged"}, 3, "token_invalid"),
        (["ticks:DOGE"], {}, 3, "unknown_product"),
        ([], {"ARO_AUTH_URL": f"http://127.0.0.1:{free_port()}"}, 4, "does not answer"),
    ],
)
def test_node_example_says_what_is_wrong(
    market: Any, node: Path, arguments: list[str], changes: dict[str, str], code: int, words: str
) -> None:
    done = run(market, "node", node, *arguments, **changes)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_node_example_lives_through_restarts(make_stack: Any, node: Path, tmp_path: Path) -> None:
    stack = make_stack()
    channel = "ticks:NIFTY"
    stack.seed(channel)
    client = Process(["node", str(node), channel], tmp_path / "node.log", environ=environment(stack))
    client.start()
    try:
        eventually(lambda: "connected to" in client.output(), "it to connect")
        stack.gateway.stop()
        eventually(lambda: "shutting down" in client.output(), "it to be told")
        stack.publish(channel)
        stack.gateway.start()
        eventually(lambda: "1 of 1 channels recovered" in client.output(), "it to recover")
        stack.client.flushall()
        stack.publish(channel)
        eventually(lambda: "a new history on the server" in client.output(), "it to be told of the new epoch")
        assert client.is_running
    finally:
        client.kill()


@pytest.mark.parametrize(
    "command", [("node", "scripts/subscribe-example.js"), (sys.executable, "examples/subscribe.py")]
)
def test_official_clients_that_were_too_slow_come_back(
    make_stack: Any, node: Path, tmp_path: Path, command: tuple[str, str]
) -> None:
    stack = make_stack(ARO_GATEWAY_SLOW_SECONDS="1")
    channel = "ticks:NIFTY"
    stack.seed(channel)
    program, script = command
    client = Process([program, str(ROOT / script), channel], tmp_path / "client.log", environ=environment(stack))
    client.start()
    sizes = count(300_000)  # another each time, so that a delta is as large

    def is_closed() -> bool:
        stack.publish(channel, pad=next(sizes))
        return bool(stack.gateway.metric("ws_disconnects_total", reason="slow"))

    def times_connected() -> int:
        return len(re.findall("(?<!dis)connected", client.output()))

    try:
        eventually(lambda: times_connected() == 1, "it to connect", seconds=15)
        client.signal(signal.SIGSTOP)
        eventually(is_closed, "it to be closed", seconds=30)
        client.signal(signal.SIGCONT)
        eventually(lambda: times_connected() == 2, "it to come back", seconds=15)
        assert client.is_running
    finally:
        client.kill()


def test_python_example_prints_what_comes(market: Any) -> None:
    done = run(
        market, sys.executable, ROOT / "examples" / "subscribe.py", "--seconds", "1.5", "ticks:NIFTY", "ticks:DOGE"
    )
    assert done.returncode == 0, done.stderr
    assert "ticks:NIFTY" in done.stdout
    assert "price 25000.35" in done.stdout
    assert "# ticks:DOGE: unknown_product" in done.stdout
