"""How large an hour of recording is, and how long a session takes to be elsewhere in it.

usage: python tests/load/replay_seek.py [--minutes 60] [--seeks 20] [--recording FILE]

Records so many minutes of the default feed faster than real time (one hour in about two minutes; FILE is kept and used
again), then starts the platform on free ports of 127.0.0.1 with the feed running beside it, seeks a session to random
instants by REST, and measures until the first chain of that instant, and until the last one, is announced in Redis.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import requests

from aro.adapters.clock import iso
from aro.contracts.names import chain_channel, replay_bus, replay_channel
from aro.testing.eventually import eventually
from aro.testing.platform import REPLAY, Platform
from feed_generator.sessions.sources import RecordingSource
from feed_generator.synthetic.markets import universe_names

sys.path.insert(0, str(Path(__file__).parents[1] / "golden" / "replay"))
from golden_market import START_MS, record

SERVICES: Final = ("auth", "analytics", "api", "consume", "work", "beat", "feed", REPLAY)
NAME: Final = "hour.rec"
PATIENCE_SECONDS: Final = 30.0


class Session:
    """A paused session of the recording, and what is announced for it."""

    def __init__(self, platform: Platform) -> None:
        self._url = f"{platform.url('api')}/api/v1"
        account = {"email": "seeker@example.com", "password": "now where was that again"}
        requests.post(f"{self._url}/auth/register", json=account, timeout=10).raise_for_status()
        token = requests.post(f"{self._url}/auth/login", json=account, timeout=10).json()["access_token"]
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {token}"
        sessions = f"{self._url}/replay/sessions"
        eventually(
            lambda: self._http.get(f"{self._url}/replay/recordings").json()["recordings"], "the player", seconds=30
        )
        answer = self._http.post(sessions, json={"recording": NAME, "paused": True}, timeout=10)
        answer.raise_for_status()
        self._id = answer.json()["id"]
        self._patch = f"{sessions}/{self._id}"
        self._heard: Any = platform.redis.client().pubsub(ignore_subscribe_messages=True)
        self._heard.subscribe(replay_bus(self._id))

    def seek(self, position_ts: int, chains: int) -> tuple[float, float]:
        """Seconds until the first and the last of so many chains of that instant are announced."""
        started = time.perf_counter()
        self._http.patch(self._patch, json={"position": iso(position_ts)}, timeout=10).raise_for_status()
        first = 0.0
        prefix = replay_channel(self._id, chain_channel("", "").rstrip(":"))
        left = chains
        while left:
            message = self._heard.get_message(timeout=1)
            if time.perf_counter() - started > PATIENCE_SECONDS:
                raise TimeoutError(f"not all of {iso(position_ts)}")
            if message is None:
                continue
            head, _, data = message["data"].partition(b"\n")
            if head.decode().startswith(prefix) and 0 <= position_ts - json.loads(data)["source_ts"] < 1_000:
                left -= 1
                first = first or time.perf_counter() - started
        return first, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seeks", type=int, default=20)
    parser.add_argument("--recording", type=Path, help="used if it is there, else written and kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recordings = Path(folder) / "recordings"
        recordings.mkdir()
        made = options.recording or Path(folder) / NAME
        if not made.exists():
            started = time.perf_counter()
            record(made, universe_names("listed"), ticks=60 * options.minutes)
            print(f"recorded {options.minutes} minutes in {time.perf_counter() - started:.0f} s")
        (recordings / NAME).symlink_to(made.resolve())
        started = time.perf_counter()
        source = RecordingSource(made, ())
        opened = time.perf_counter() - started
        last_ts = source.last_ts or START_MS
        hours = (last_ts - START_MS + 1_000) / 3_600_000
        size = made.stat().st_size / 1e6
        first = takewhile(lambda entry: entry.ts == START_MS, source.entries(START_MS))
        chains = sum(entry.expiry is not None for entry in first)
        source.close()
        print(
            f"{size:.1f} MB, {size / hours:.0f} MB an hour; {chains} chains a second; opened in {opened * 1000:.0f} ms"
        )
        platform = Platform(Path(folder), environ={"ARO_REPLAY_DIR": str(recordings)})
        try:
            platform.start(SERVICES)
            session = Session(platform)
            chosen = random.Random(1)
            instants = [chosen.randrange(START_MS, last_ts) for _ in range(options.seeks)]
            found = [session.seek(instant, chains) for instant in instants]
        finally:
            platform.stop()
    print("| seek, seconds | median | max |\n|---|---|---|")
    for what, values in zip(("to the first chain", f"to all {chains} chains"), zip(*found, strict=True), strict=True):
        print(f"| {what} | {statistics.median(values):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
