"""The official clients, Python and JavaScript, held against the same vectors without any gateway."""

import copy
import json
import shutil
import subprocess
import threading
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import option_aro_client as official
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.testing.eventually import eventually

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden" / "gateway"
JAVASCRIPT = ROOT / "examples" / "option-aro-client.mjs"
PATCHES = json.loads((GOLDEN / "patches.json").read_text(encoding="utf-8"))
STORIES = json.loads((GOLDEN / "stories.json").read_text(encoding="utf-8"))["stories"]
CHANNEL = "ticks:NIFTY"


def in_node(kind: str) -> Any:
    assert shutil.which("node"), "this test needs Node.js"
    command = ["node", str(Path(__file__).with_name("drive.mjs")), str(JAVASCRIPT), kind, str(GOLDEN / f"{kind}.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- patches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PATCHES["apply"], ids=lambda case: case["name"])
def test_python_applies(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["before"])
    assert official.apply_patch(before, case["patch"]) == case["after"]
    assert before == case["before"], "the state before is not touched"


@pytest.mark.parametrize("case", PATCHES["refuse"], ids=lambda case: case["name"])
def test_python_refuses(case: dict[str, Any]) -> None:
    with pytest.raises(official.CannotApply):
        official.apply_patch(case["before"], case["patch"])


def test_javascript_applies_and_refuses_the_same() -> None:
    told = in_node("patches")
    assert [case["after"] for case in PATCHES["apply"]] == [result["after"] for result in told["applied"]]
    assert all(result["untouched"] for result in told["applied"])
    assert told["refused"] == ["refused"] * len(PATCHES["refuse"])
    assert (told["prototype"], told["polluted"]) == ('{"__proto__":{"a":2}}', None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=2), JSON, max_size=5)


def difference(before: Any, after: Any) -> dict[str, Any]:
    """The smallest patch by the words of the format; written for this test, apart from the gateway's."""
    patch: dict[str, Any] = {"put": {}, "cut": [key for key in before if key not in after], "in": {}}
    for key, value in after.items():
        was = before.get(key)
        if key in before and type(was) is type(value) and was == value:
            continue
        if isinstance(was, dict) and isinstance(value, dict):
            patch["in"][key] = difference(was, value)
        elif isinstance(was, list) and isinstance(value, list) and len(was) == len(value) > 0:
            at = [index for index, pair in enumerate(zip(was, value, strict=True)) if pair[0] != pair[1]]
            patch["in"][key] = {"at": at, "to": [value[index] for index in at]}
        else:
            patch["put"][key] = value
    return {name: part for name, part in patch.items() if part}


@given(OBJECTS, OBJECTS)
def test_any_state_is_reached_from_any_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert official.apply_patch(before, difference(before, after)) == after


# --- stories -----------------------------------------------------------------------------------


class FakeSocket:
    """Stands where python-socketio's client does; the test fires the events."""

    log: list[list[Any]]
    made: list["FakeSocket"]

    def __init__(self, _in_order: Any) -> None:
        self.eio = self
        self.state = "connecting"
        self.namespaces: dict[str, str] = {}
        self.handlers: dict[str, Any] = {}
        self.go = threading.Event()
        self.made.append(self)

    def on(self, name: str, handler: Any, **_: Any) -> None:
        self.handlers[name] = handler

    def connect(self, _url: str, **options: Any) -> None:
        assert options["auth"]["token"].startswith("token ")
        self.state = "connected"
        assert self.go.wait(10)

    def fire(self, name: str, *payload: Any) -> None:
        if name == "connect":
            self.namespaces = {official.NAMESPACE: "sid"}
        if name == "disconnect":
            self.namespaces = {}
            self.state = "disconnected"
        self.handlers[name](*payload)
        self.go.set()

    def emit(self, name: str, payload: Any, callback: Any = None, **_: Any) -> None:
        if name == "subscribe":
            self.log.append([name, payload["resume"].get(CHANNEL, {})])
            callback({"ok": [{"channel": channel} for channel in payload["channels"]], "rejected": []})
        else:
            self.log.append([name])

    def call(self, name: str, payload: Any, **_: Any) -> Any:
        self.log.append([name, payload["token"]])
        return {"ok": True}

    def disconnect(self) -> None:
        self.fire("disconnect", "client disconnect")


def payload_of(story: dict[str, Any], step: list[Any]) -> list[Any]:
    match step:
        case ["connect"]:
            return []
        case ["heartbeat", seq]:
            return [{"server_ts": 0, "channels": {CHANNEL: seq}}]
        case ["resync", reason]:
            return [{"channel": CHANNEL, "reason": reason}]
        case ["draining", seconds]:
            return [{"retry_after": seconds}]
        case ["error", code]:
            return [{"code": code, "detail": ""}]
        case ["unreadable", epoch, seq]:
            return [{"channel": CHANNEL, "epoch": epoch, "seq": seq, "data": b"no zlib"}]
        case ["auth_expiring"]:
            return [{"expires_ts": 0}]
    _, epoch, seq, data, *previous = step
    if story.get("deflate"):
        data = zlib.compress(json.dumps(data).encode())
    message = {"channel": CHANNEL, "epoch": epoch, "seq": seq, "data": data}
    return [{**message, "prev_seq": previous[0]} if previous else message]


def is_ready(made: list[FakeSocket], count: int) -> bool:
    return len(made) == count and "disconnect" in made[-1].handlers


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["name"])
def test_python_tells(story: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[list[Any]] = []
    made: list[FakeSocket] = []
    tokens = iter(range(1, 10))
    monkeypatch.setattr(FakeSocket, "log", log, raising=False)
    monkeypatch.setattr(FakeSocket, "made", made, raising=False)
    monkeypatch.setattr(official, "Socket", FakeSocket)

    def notice(name: str, _: Any) -> None:
        if name not in ("connected", "disconnected"):
            log.append(["notice", name])

    def state(channel: str, data: Any, info: dict[str, Any]) -> None:
        log.append(["state", info["event"], info["seq"], info["skipped"], data])

    client = official.OptionAro("", lambda: f"token {next(tokens)}", on_notice=notice)
    client.subscribe([CHANNEL], state, **story.get("options", {}))
    client.start()
    connections = 0
    try:
        for step in story["steps"]:
            log.clear()
            match step["do"]:
                case ["unsubscribe"]:
                    client.unsubscribe([CHANNEL])
                case ["drop", why]:
                    made[-1].fire("disconnect", "server disconnect" if why == "server" else why)
                case ["connect"]:
                    connections += 1
                    eventually(partial(is_ready, made, connections), "a connection")
                    made[-1].fire("connect")
                case [name, *_]:
                    made[-1].fire("snapshot" if name == "unreadable" else name, *payload_of(story, step["do"]))
            eventually(lambda step=step: log == step["log"] or len(log) > len(step["log"]), f"{step} (told: {log})")
            assert log == step["log"], step
    finally:
        client.close()


def test_python_heeds_what_was_said_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a connection overtakes messages that wait for a slow callback; its reason is among them."""
    made: list[FakeSocket] = []
    may_go_on = threading.Event()
    heard: list[str] = []
    monkeypatch.setattr(FakeSocket, "made", made, raising=False)
    monkeypatch.setattr(official, "Socket", FakeSocket)
    client = official.OptionAro("", "token 1", on_notice=lambda name, _: heard.append(name))
    client.start()
    try:
        eventually(partial(is_ready, made, 1), "a connection")
        made[0].fire("connect")
        client._in_order.submit(may_go_on.wait, 10)
        client._in_order.submit(made[0].handlers["error"], {"code": "slow", "detail": "nothing was taken for 1 s"})
        made[0].fire("disconnect", "server disconnect")
        may_go_on.set()
        eventually(partial(is_ready, made, 2), "another connection")
        assert heard == ["connected", "error", "disconnected"]
    finally:
        may_go_on.set()
        client.close()


def test_javascript_tells_the_same() -> None:
    for story, told in zip(STORIES, in_node("stories"), strict=True):
        expected = [step["log"] for step in story["steps"]]
        assert told == expected, story["name"]


def test_a_callback_that_fails_costs_its_own_message_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    in_order = official.ThreadPoolExecutor(1)
    engine = official.Socket(in_order).eio
    heard: list[int] = []

    def handler(number: int) -> None:
        heard.append(10 // number)

    engine.handlers["message"] = handler
    for number in (5, 0, 2):
        engine.start_background_task(handler, number)
    in_order.shutdown()
    assert heard == [2, 5]
    assert "ZeroDivisionError" in caplog.text
    engine.start_background_task(handler, 1)
    assert heard == [2, 5], "closed: nothing is handled any more"
