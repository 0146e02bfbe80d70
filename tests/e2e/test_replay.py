"""Replay sessions end to end: REST, the player, the workers, Socket.IO; and the live stream beside them."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from isal import isal_zlib

from aro.adapters import mongo
from aro.adapters.clock import iso
from aro.adapters.packing import json_of
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_TICKS, STREAM_REPLAY, live_key, replay_bus, replay_channel
from aro.testing.eventually import eventually
from aro.testing.ordered_client import OrderedClient
from aro.testing.platform import REPLAY, SERVICES, Platform
from aro.testing.witness import ClientWitness

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "replay"
sys.path.insert(0, str(GOLDEN))
from golden_market import HASHES, RECORDING, START_MS, TICKS, hashes  # noqa: E402

pytestmark = pytest.mark.e2e

NAMESPACE: Final = "/v1"
END_MS: Final = START_MS + (TICKS - 1) * 1_000
EXPIRY: Final = "2026-12-29"
IDLE_SECONDS: Final = 3


class User:
    """An account, its REST calls and one official client that keeps all that it is sent."""

    def __init__(self, platform: Platform, name: str) -> None:
        self._url = f"{platform.url('api')}/api/v1"
        account = {"email": f"{name}@example.com", "password": "what was it then, exactly"}
        self._post("/auth/register", account)
        self.token = str(self._post("/auth/login", account)["access_token"])
        self._lock = threading.Lock()
        self._states: list[tuple[str, Any]] = []
        self.errors: list[Any] = []
        self.client = OrderedClient(reconnection=False)
        for event in ("snapshot", "update"):
            self.client.on(event, self._take, namespace=NAMESPACE)
        self.client.on("error", self.errors.append, namespace=NAMESPACE)
        self.client.connect(
            platform.url("gateway"), auth={"token": self.token}, namespaces=[NAMESPACE], transports=["websocket"]
        )

    def _take(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._states.append((message["channel"], message["data"]))

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = requests.post(self._url + path, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(method, f"{self._url}/replay{path}", json=body, headers=headers, timeout=10)

    def start(self, **body: Any) -> str:
        answer = self.ask("POST", "/sessions", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def session(self, session: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/sessions/{session}").json()
        return found

    def change(self, session: str, **body: Any) -> None:
        answer = self.ask("PATCH", f"/sessions/{session}", body)
        assert answer.status_code == 200, answer.text

    def subscribe(self, *channels: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.call("subscribe", {"channels": [*channels]}, namespace=NAMESPACE)
        return answer

    def states(self, channel: str) -> list[Any]:
        with self._lock:
            return [data for name, data in self._states if name == channel]

    def status(self, session: str) -> dict[str, Any]:
        """The newest, as the socket has it."""
        return dict(self.states(f"replay:{session}:status")[-1])

    def waits_for(self, session: str, what: Callable[[dict[str, Any]], bool], meaning: str) -> None:
        eventually(
            lambda: bool(self.states(f"replay:{session}:status")) and what(self.status(session)), meaning, seconds=20
        )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    directory = Path(tmp_path_factory.mktemp("replay"))
    recordings = directory / "recordings"
    recordings.mkdir()
    shutil.copy(RECORDING, recordings / "golden.rec")
    environ = {"ARO_REPLAY_DIR": str(recordings), "ARO_REPLAY_IDLE_SECONDS": str(IDLE_SECONDS)}
    feed = ["--products", "SPY", "--interval", "0.5", "--seed", "5"]
    running = Platform(directory, feed_arguments=feed, environ=environ)
    try:
        running.start([name for name in (*SERVICES, REPLAY) if name not in ("storage", "logging")])
        yield running
    finally:
        running.stop()


@pytest.fixture
def user(platform: Platform, request: pytest.FixtureRequest) -> Iterator[User]:
    user = User(platform, f"{request.node.name.replace('_', '')[:40]}")
    eventually(lambda: user.ask("GET", "/recordings").json()["recordings"], "the player", seconds=20)
    yield user
    for session in user.ask("GET", "/sessions").json()["sessions"]:
        user.ask("DELETE", f"/sessions/{session['id']}")
    user.client.disconnect()


class Announced:
    """What is announced for a session, byte by byte: (channel, data) of all but its status."""

    def __init__(self, platform: Platform, session: str) -> None:
        self._pubsub = platform.redis.client().pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(replay_bus(session))
        self._prefix = replay_channel(session, "")
        self._states: list[tuple[str, bytes]] = []

    @property
    def states(self) -> list[tuple[str, bytes]]:
        """So far."""
        while (message := self._pubsub.get_message(timeout=0.05)) is not None:
            head, _, data = message["data"].partition(b"\n")
            channel = head.decode().split(" ")[0].removeprefix(self._prefix)
            if data and channel != "status":
                self._states.append((channel, json_of(data)))
        return self._states

    def wait_for(self, count: int, meaning: str) -> None:
        eventually(lambda: len(self.states) >= count, meaning, seconds=40)


def test_the_same_recording_gives_the_same_bytes_each_time(platform: Platform, user: User) -> None:
    listed = user.ask("GET", "/recordings").json()["recordings"]
    assert listed == [{"name": "golden.rec", "kind": "recording", "first_ts": START_MS, "last_ts": END_MS}]
    golden = json.loads(HASHES.read_text(encoding="utf-8"))
    for speed in (4.0, 1000.0):
        session = user.start(recording="golden.rec", paused=True, speed=speed)
        announced = Announced(platform, session)
        # What it shows while it waits is the first instant's; it comes again from the beginning.
        announced.wait_for(len(golden), "the state at the beginning")
        user.subscribe(f"replay:{session}:status")
        user.change(session, paused=False)
        user.waits_for(session, lambda status: status["state"] == "ended", "the end")
        announced.wait_for(TICKS * len(golden), "everything")
        assert hashes(announced.states) == golden, speed
        assert user.ask("DELETE", f"/sessions/{session}").status_code == 204


def test_a_session_is_started_paused_sought_and_stopped(platform: Platform, user: User) -> None:
    session = user.start(recording="golden.rec", speed=0.5)
    chain, status = f"replay:{session}:chain:NIFTY:{EXPIRY}", f"replay:{session}:status"
    answer = user.subscribe(chain, status, f"replay:{session}:ticks:NIFTY")
    assert [item["channel"] for item in answer["ok"]] == [chain, status, f"replay:{session}:ticks:NIFTY"]
    eventually(lambda: user.states(chain), "the first chain")
    assert user.states(chain)[0]["source_ts"] == START_MS
    user.waits_for(session, lambda state: state["state"] == "playing", "playing")

    user.change(session, paused=True)
    user.waits_for(session, lambda state: state["state"] == "paused", "a pause")
    position = user.status(session)["position_ts"]
    assert START_MS <= position < END_MS

    # Paused, it shows the state at the instant that is sought: forwards, and back again.
    for second in (5, 2):
        user.change(session, position=iso(START_MS + second * 1_000 + 300))
        eventually(lambda second=second: user.states(chain)[-1]["source_ts"] == START_MS + second * 1_000, "the seek")
        user.waits_for(session, lambda status, at=second: status["position_ts"] == START_MS + at * 1_000 + 300, "it")
    assert user.session(session)["pending"] is False

    # A pattern stands for what there is by now.
    found = user.subscribe(f"replay:{session}:metrics:NIFTY:*")["ok"]
    assert [item["channel"].rpartition(":")[2] for item in found] == sorted({*EXPIRIES})
    user.change(session, paused=False, speed=10)
    user.waits_for(session, lambda state: state["state"] == "ended", "the end")
    eventually(lambda: user.states(chain)[-1]["source_ts"] == END_MS, "the last chain")

    assert user.ask("DELETE", f"/sessions/{session}").status_code == 204
    eventually(lambda: user.errors, "to be told")
    assert user.errors[0]["code"] == "replay_ended"
    assert user.errors[0]["session"] == session
    assert user.ask("GET", f"/sessions/{session}").status_code == 404
    assert user.subscribe(chain)["rejected"][0]["code"] == "unknown_channel"
    client = platform.redis.client()
    eventually(lambda: client.xlen(STREAM_REPLAY) == 0, "nothing on its way")
    assert client.keys(f"*{session}*") == []


EXPIRIES: Final = ("2026-11-23", "2026-12-01", "2026-12-08", "2026-12-29")


def test_another_users_session_does_not_exist(platform: Platform, user: User) -> None:
    session = user.start(recording="golden.rec", paused=True)
    chain = f"replay:{session}:chain:NIFTY:{EXPIRY}"
    assert user.subscribe(chain)["rejected"] == []
    foreign = User(platform, "foreigner")
    for method, body in (("GET", None), ("PATCH", {"paused": False}), ("DELETE", None)):
        answer = foreign.ask(method, f"/sessions/{session}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert foreign.ask("GET", "/sessions").json() == {"sessions": []}
    answers = foreign.subscribe(chain, f"replay:{session}:status", f"replay:{session}:chain:NIFTY:*", "status")
    assert [item["code"] for item in answers["rejected"]] == ["unknown_channel"] * 3
    assert [item["channel"] for item in answers["ok"]] == ["status"]
    for channel in ("surface:NIFTY", "bars:NIFTY:1m", f"chain:DOGE:{EXPIRY}"):
        refused = user.subscribe(f"replay:{session}:{channel}")["rejected"][0]["code"]
        assert refused == ("unknown_product" if "DOGE" in channel else "unknown_channel")
    assert user.session(session)["state"] == "paused"
    foreign.client.disconnect()


def test_what_cannot_be_played_is_refused_or_says_so(user: User) -> None:
    for body, field in (
        ({"recording": "../golden.rec"}, "recording"),
        ({"recording": "nothing.rec"}, "recording"),
        ({}, "from"),
        ({"recording": "golden.rec", "speed": 0}, "speed"),
        ({"from": iso(END_MS), "to": iso(START_MS)}, "from"),
    ):
        answer = user.ask("POST", "/sessions", body)
        assert (answer.status_code, list(answer.json()["errors"])) == (422, [field]), body
    session = user.start(recording="golden.rec", **{"from": iso(END_MS + 60_000)})
    user.subscribe(f"replay:{session}:status")
    user.waits_for(session, lambda state: state["state"] == "failed", "a failure")
    assert "nothing to play after" in user.status(session)["detail"]
    user.start(recording="golden.rec")
    answer = user.ask("POST", "/sessions", {"recording": "golden.rec"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_a_session_that_nobody_listens_to_ends(platform: Platform, user: User) -> None:
    heard, unheard = user.start(recording="golden.rec"), user.start(recording="golden.rec")
    user.subscribe(f"replay:{heard}:status")
    eventually(lambda: user.ask("GET", f"/sessions/{unheard}").status_code == 404, "its end", seconds=30)
    assert user.session(heard)["state"] in ("playing", "ended")
    assert platform.redis.client().keys(f"*{unheard}*") == []


def test_history_is_played_as_it_was_stored_and_stored_once(platform: Platform, user: User) -> None:
    database = mongo.connect(platform.mongo.url, "aro_platform_test")
    chains = database[COLLECTION_CHAINS]
    eventually(lambda: chains.count_documents({"product": "SPY"}) >= 40, "history", seconds=30)
    first = min(document["source_at"] for document in chains.find({}, {"source_at": 1}))
    witness = ClientWitness(platform.url("gateway"), user.token, ["chain:SPY:*", "metrics:SPY:*", "ticks:SPY"])
    witness.start()
    began = time.time() * 1000
    session = user.start(speed=20, products=["SPY"], **{"from": first.isoformat()})
    announced = Announced(platform, session)
    user.subscribe(f"replay:{session}:status")
    announced.wait_for(80, "chains")
    for channel, data in announced.states:
        if channel.startswith("chain:"):
            stored = chains.find_one({"_id": json.loads(data)["id"]})
            assert stored is not None
            assert hashes([(channel, data)]) == hashes([(channel, unpacked(stored["data"]))])
    # Beside it the live stream went on, in order; nothing of the replay is in it or was stored again.
    eventually(lambda: witness.total_updates() > 20, "live updates", seconds=20)
    assert witness.faults() == []
    live = [record.last_data["source_ts"] for record in witness.channels.values() if record.updates]
    assert live
    assert min(live) >= began - 5_000
    client = platform.redis.client()
    assert not [name for name in client.smembers("live-channels") if name.startswith(b"replay:")]
    assert database[COLLECTION_TICKS].count_documents({"product": "NIFTY"}) == 0
    assert chains.count_documents({"product": "NIFTY"}) == 0
    witness.stop()
    database.client.close()


def unpacked(packed: bytes) -> bytes:
    data: bytes = isal_zlib.decompress(packed)
    return data


def test_kill_9_of_the_player_is_said_and_the_next_one_goes_on(platform: Platform, user: User) -> None:
    session = user.start(recording="golden.rec", speed=0.05)
    chain = f"replay:{session}:chain:NIFTY:{EXPIRY}"
    user.subscribe(chain, f"replay:{session}:status")
    user.change(session, position=iso(START_MS + 3_000))
    eventually(lambda: user.states(chain) and user.states(chain)[-1]["source_ts"] == START_MS + 3_000, "the seek")
    user.waits_for(session, lambda state: state["position_ts"] >= START_MS + 3_000, "its position")

    platform.unguard(REPLAY)
    player = platform.processes[REPLAY]
    player.kill()
    user.waits_for(session, lambda state: state["state"] == "interrupted", "an interruption")
    assert user.session(session)["state"] == "interrupted"
    refused = user.ask("POST", "/sessions", {"recording": "golden.rec"})
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")

    platform.guard(REPLAY)
    user.waits_for(session, lambda state: state["state"] == "playing", "the next player")
    assert START_MS + 3_000 <= user.status(session)["position_ts"] < END_MS
    user.change(session, speed=10)
    eventually(lambda: user.states(chain)[-1]["source_ts"] == END_MS, "the end", seconds=20)
    assert live_key(chain).encode() in platform.redis.client().keys("live:replay:*")


def test_kill_9_of_a_worker_loses_nothing_of_a_session(platform: Platform, user: User) -> None:
    session = user.start(recording="golden.rec", speed=4, paused=True)
    announced = Announced(platform, session)
    golden = json.loads(HASHES.read_text(encoding="utf-8"))
    user.subscribe(f"replay:{session}:status")
    announced.wait_for(len(golden), "the state at the beginning")
    user.change(session, paused=False)
    announced.wait_for(2 * len(golden), "it to play")
    pid = platform.processes["work"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    announced.wait_for(TICKS * len(golden), "everything")
    assert hashes(announced.states) == golden
