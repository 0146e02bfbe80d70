"""Log in, subscribe, and print what comes: the Python twin of scripts/subscribe-example.js, kept short.

usage: python examples/subscribe.py [--seconds N] [channel ...]

Environment: ARO_AUTH_URL, ARO_GATEWAY_URL; ARO_EMAIL and ARO_PASSWORD, else the demo account in $ARO_HOME/demo.json.
"""

import argparse
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import socketio

AUTH_URL = os.environ.get("ARO_AUTH_URL", "http://127.0.0.1:8000")
GATEWAY_URL = os.environ.get("ARO_GATEWAY_URL", "http://127.0.0.1:8010")
NAMESPACE = "/v1"
DEFAULT_CHANNELS = ("ticks:NIFTY", "metrics:NIFTY:*", "ticks:BANKNIFTY", "metrics:BANKNIFTY:*")

# Each event is handled in a thread of its own, so they are ordered by what they carry and not by when they come.
positions: dict[str, tuple[str, int]] = {}
one_at_a_time = threading.Lock()
client = socketio.Client()


def access_token() -> str:
    """Asked for at every connection, so that a reconnection never brings an expired one."""
    answer = requests.post(f"{AUTH_URL}/api/v1/auth/login", json=credentials(), timeout=10)
    if answer.status_code != 200:
        sys.exit(f"cannot log in: {answer.json().get('detail', answer.status_code)}")
    return str(answer.json()["access_token"])


def credentials() -> dict[str, str]:
    if "ARO_EMAIL" in os.environ:
        return {"email": os.environ["ARO_EMAIL"], "password": os.environ["ARO_PASSWORD"]}
    state = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state"))
    demo = json.loads((Path(os.environ.get("ARO_HOME", state / "option-aro")) / "demo.json").read_text())
    return {"email": demo["email"], "password": demo["password"]}


def subscribe(channels: list[str]) -> None:
    resume = {channel: {"epoch": epoch, "seq": seq} for channel, (epoch, seq) in positions.items()}
    answer = client.call("subscribe", {"channels": channels, "resume": resume}, namespace=NAMESPACE)
    for entry in answer["rejected"]:
        print(f"# {entry['channel']}: {entry['code']}: {entry['detail']}", flush=True)


@client.on("snapshot", namespace=NAMESPACE)
@client.on("update", namespace=NAMESPACE)
def on_state(message: dict[str, Any]) -> None:
    with one_at_a_time:
        epoch, seq = positions.get(message["channel"], ("", 0))
        if message["epoch"] != epoch or message["seq"] > seq:
            positions[message["channel"]] = (message["epoch"], message["seq"])
            show(message)


@client.on("resync", namespace=NAMESPACE)
def on_resync(message: dict[str, Any]) -> None:
    print(f"# {message['channel']}: {message['reason']}; a snapshot follows", flush=True)


@client.on("auth_expiring", namespace=NAMESPACE)
def on_auth_expiring(_: dict[str, Any]) -> None:
    client.emit("auth", {"token": access_token()}, namespace=NAMESPACE)


@client.on("error", namespace=NAMESPACE)
@client.on("connect_error", namespace=NAMESPACE)
def on_problem(problem: Any) -> None:
    print(f"# {problem}", flush=True)


def show(message: dict[str, Any]) -> None:
    data = message["data"]
    if "bars" in data:  # the newest one speaks for all
        data = {**data, **data["bars"][-1]}
    at = datetime.fromtimestamp(data.get("source_ts", data.get("server_ts", 0)) / 1000, UTC)
    names = ("price", "spot", "forward", "iv_atm", "atm_straddle", "pcr_oi", "max_pain", "open", "high", "low", "close")
    values = "  ".join(f"{name} {data[name]}" for name in names if data.get(name) is not None)
    time_of_day = f"{at:%H:%M:%S.%f}"[:-3]
    print(f"{time_of_day}  {message['channel']:<30}  {values}  #{message['seq']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print live channels of Option ARO.")
    parser.add_argument("channels", nargs="*", default=list(DEFAULT_CHANNELS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many seconds")
    arguments = parser.parse_args()
    client.on("connect", lambda: subscribe(arguments.channels), namespace=NAMESPACE)
    try:
        client.connect(
            GATEWAY_URL, namespaces=[NAMESPACE], transports=["websocket"], auth=lambda: {"token": access_token()}
        )
    except socketio.exceptions.ConnectionError as error:
        sys.exit(f"no connection to {GATEWAY_URL}: {error}")
    try:
        time.sleep(min(arguments.seconds, 10**9))
    except KeyboardInterrupt:
        print("# stopped")
    finally:
        client.disconnect()


if __name__ == "__main__":
    main()
