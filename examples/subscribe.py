"""Print live channels, with the official client: the Python twin of scripts/subscribe-example.js, kept short.

usage: python examples/subscribe.py [--seconds N] [channel ...]

Environment: ARO_AUTH_URL, ARO_GATEWAY_URL; ARO_EMAIL and ARO_PASSWORD, else the demo account in $ARO_HOME/demo.json.
"""

import argparse
import json
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from option_aro_client import OptionAro, Refused, login

AUTH_URL = os.environ.get("ARO_AUTH_URL", "http://127.0.0.1:8000")
GATEWAY_URL = os.environ.get("ARO_GATEWAY_URL", "http://127.0.0.1:8010")
DEFAULT_CHANNELS = ("ticks:NIFTY", "metrics:NIFTY:*", "ticks:BANKNIFTY", "metrics:BANKNIFTY:*")


def credentials() -> tuple[str, str]:
    if "ARO_EMAIL" in os.environ:
        return os.environ["ARO_EMAIL"], os.environ["ARO_PASSWORD"]
    state = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state"))
    demo = json.loads((Path(os.environ.get("ARO_HOME", state / "option-aro")) / "demo.json").read_text())
    return demo["email"], demo["password"]


def show(channel: str, data: dict[str, Any], info: dict[str, Any]) -> None:
    if "bars" in data:  # the newest one speaks for all
        data = {**data, **data["bars"][-1]}
    at = datetime.fromtimestamp(data.get("source_ts", data.get("server_ts", 0)) / 1000, UTC)
    names = ("price", "spot", "forward", "iv_atm", "atm_straddle", "pcr_oi", "max_pain", "open", "high", "low", "close")
    values = "  ".join(f"{name} {data[name]}" for name in names if data.get(name) is not None)
    time_of_day = f"{at:%H:%M:%S.%f}"[:-3]
    print(f"{time_of_day}  {channel:<30}  {values}  #{info['seq']}", flush=True)


def notice(name: str, payload: dict[str, Any]) -> None:
    """What happens beside the data: losses and returns, channels that are rejected, histories that end."""
    about = f"{payload['channel']}: " if "channel" in payload else f"{name}: "
    print(f"# {about}{', '.join(str(value) for key, value in payload.items() if key != 'channel')}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print live channels of Option ARO.")
    parser.add_argument("channels", nargs="*", default=list(DEFAULT_CHANNELS))
    parser.add_argument("--seconds", type=float, help="stop so many seconds after the first connection")
    arguments = parser.parse_args()
    timer = threading.Timer(arguments.seconds or 0, lambda: client.close())
    timer.daemon = True

    def heard(name: str, payload: dict[str, Any]) -> None:
        notice(name, payload)
        if name == "connected" and arguments.seconds is not None and timer.ident is None:
            timer.start()

    client = OptionAro(GATEWAY_URL, login(AUTH_URL, *credentials()), on_notice=heard)
    client.subscribe(arguments.channels, show, delta=True)
    try:
        client.run()
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
    except KeyboardInterrupt:
        client.close()


if __name__ == "__main__":
    main()
