"""Official Socket.IO clients and ours, all at once through one story: deltas, deflate, new tokens, a killed gateway."""

import base64
import json
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from players import JAVASCRIPT, NEWEST, OLDER, STATES, Async, Form, InNode, Official, Player, Sync, install, official

from aro.adapters.live import LiveReader
from aro.testing.continuity import Continuity, Truth
from aro.testing.eventually import eventually

FORMS: list[dict[str, Any]] = [{}, {"delta": True}, {"encoding": "deflate"}, {"delta": True, "encoding": "deflate"}]
SOON = 63
"""Lifetime in seconds of a token whose socket is asked for a new one after 3 s."""
ROUNDS_BEFORE, ROUNDS_AWAY, ROUNDS_AFTER = 5, 3, 2
LAST = 1 + ROUNDS_BEFORE + ROUNDS_AWAY + ROUNDS_AFTER

Saved = dict[tuple[str, int], Any]
"""(channel, seq) → data, as the publisher wrote it."""


class Story:
    def __init__(
        self, players: Mapping[str, Player], channels: list[str], epochs: dict[str, str], saved: Saved
    ) -> None:
        self.lines = {name: player.lines for name, player in players.items()}
        self.channels = channels
        self.epochs = epochs
        self.saved = saved


@pytest.fixture(scope="module")
def packages() -> Path:
    return install()


@pytest.fixture(scope="module")
def story(own_stack: Any, packages: Path) -> Story:
    stack = own_stack
    reader = LiveReader(stack.client)
    saved: Saved = {}
    epochs: dict[str, str] = {}
    channels = [stack.chain() for _ in FORMS]

    def publish(rounds: int) -> None:
        for _ in range(rounds):
            number = len(saved)
            for channel in channels:
                bids = [float(cell + (cell == number % 20) * number) for cell in range(20)]
                published = stack.publish(channel, number, strikes=list(range(20)), calls={"bid": bids, "none": None})
                epochs[channel] = published.epoch
                state = reader.state(channel)
                assert state is not None
                saved[channel, published.seq] = json.loads(state.data)

    players: dict[str, Player] = {
        "socket.io-client 4.8": InNode("follow.mjs", NEWEST),
        "socket.io-client 4.5": InNode("follow.mjs", OLDER),
        "python-socketio": Sync(),
        "python-socketio asyncio": Async(),
        "ours in Python": Official(),
        "ours in JavaScript": InNode("official.mjs", NEWEST, JAVASCRIPT),
        "ours in JavaScript on 4.5": InNode("official.mjs", OLDER, JAVASCRIPT),
    }
    publish(1)
    stack.seed(stack.chain())
    forms: list[Form] = list(zip(channels, FORMS, strict=True))
    with ExitStack() as ending:
        for name, player in players.items():
            # A thread for each message may take the binary frame before the text that announces it.
            own = [form for form in forms if name != "python-socketio" or "encoding" not in form[1]]
            player.start(stack.gateway.url, stack.auth.token(name, lifetime=SOON), stack.auth.token(name), own)
            ending.callback(player.stop)

        def arrived(seq: int) -> bool:
            for name, player in players.items():
                wanted = channels[:2] if name == "python-socketio" else channels
                assert {channel: newest(player.lines, channel) for channel in wanted} == dict.fromkeys(wanted, seq), (
                    name
                )
            return True

        eventually(lambda: arrived(1), "a snapshot of each channel for everybody", seconds=20)
        publish(ROUNDS_BEFORE)
        eventually(lambda: arrived(1 + ROUNDS_BEFORE), "updates for everybody")
        stack.gateway.kill()
        publish(ROUNDS_AWAY)
        stack.gateway.start()
        eventually(lambda: arrived(LAST - ROUNDS_AFTER), "everybody to have caught up", seconds=20)
        publish(ROUNDS_AFTER)
        eventually(lambda: arrived(LAST), "the last updates")
        eventually(lambda: all(renewed(name, player.lines) for name, player in players.items()), "new tokens for all")
        eventually(
            lambda: all(beats(player.lines) for player in players.values() if type(player) is Async), "heartbeats"
        )
    return Story(players, channels, epochs, saved)


def newest(lines: list[list[Any]], channel: str) -> int:
    """The highest seq of the channel, in lines of stock clients or ours."""
    stock = (payload["seq"] for name, payload, *_ in lines.copy() if name in STATES and payload["channel"] == channel)
    ours = (line[2]["seq"] for line in lines.copy() if line[0] == channel)
    return max([*stock, *ours], default=0)


def renewed(name: str, lines: list[list[Any]]) -> bool:
    """Stock clients show the answer; ours ask for a token the second time, and speak only if it is refused."""
    if name.startswith("ours"):
        return [line[0] for line in lines.copy()].count("token") == 2
    return any(line[0] == "auth" and line[1].get("ok") is True for line in lines.copy())


def beats(lines: list[list[Any]]) -> bool:
    return any(line[0] == "heartbeat" for line in lines.copy())


def unpacked(data: Any) -> Any:
    """Data that came as an attachment, too."""
    if isinstance(data, dict) and data.keys() == {"deflate"}:
        return json.loads(zlib.decompress(base64.b64decode(data["deflate"])))
    return data


def replay(lines: list[list[Any]], truth: Truth) -> Continuity:
    """What a stock client was told, through the checker, with deltas applied."""
    checked = Continuity(truth)
    for name, payload, *_ in lines:
        if name == "connect":
            checked.connected()
        elif name == "ack":
            assert payload["rejected"] == []
            checked.answered(payload["ok"])
        elif name in STATES:
            data = unpacked(payload["data"])
            if name == "delta":
                data = official.apply_patch(checked.data(payload["channel"]), data)
            checked.take(name, {**payload, "data": data})
        elif name in ("heartbeat", "resync"):
            checked.take(name, payload)
    return checked


def in_order(lines: list[list[Any]]) -> list[list[Any]]:
    """Threads overtake each other: on each connection acks first, then states by seq; heartbeats say nothing then."""
    starts = [index for index, line in enumerate(lines) if line[0] == "connect"]
    ordered = []
    for start, end in pairwise([*starts, len(lines)]):
        part = lines[start:end]
        ordered += [line for line in part if line[0] in ("connect", "ack")]
        ordered += sorted((line for line in part if line[0] in STATES), key=lambda line: line[1]["seq"])
    return ordered


STOCK = ["socket.io-client 4.8", "socket.io-client 4.5", "python-socketio", "python-socketio asyncio"]
OURS = ["ours in Python", "ours in JavaScript", "ours in JavaScript on 4.5"]


@pytest.mark.parametrize("name", STOCK)
def test_stock_client_is_never_misled(story: Story, name: str) -> None:
    lines = story.lines[name]
    wanted = story.channels[:2] if name == "python-socketio" else story.channels
    truth = Truth()
    assert all(truth.agrees(channel, story.epochs[channel], seq, data) for (channel, seq), data in story.saved.items())
    checked = replay(in_order(lines) if name == "python-socketio" else lines, truth)
    checked.end({channel: (story.epochs[channel], LAST) for channel in wanted})
    assert checked.faults == []
    assert [line[0] for line in lines].count("connect") == 2
    assert checked.told["recovered"] == len(wanted), "all that was missed was replayed"
    assert checked.told["snapshot"] == len(wanted)
    assert checked.told["update"] + checked.told["delta"] == (LAST - 1) * len(wanted)


@pytest.mark.parametrize("name", STOCK)
def test_stock_client_gets_the_form_that_it_asked_for(story: Story, name: str) -> None:
    lines = story.lines[name]
    answers = {entry["channel"]: entry for line in lines if line[0] == "ack" for entry in line[1]["ok"]}
    for channel, form in list(zip(story.channels, FORMS, strict=True))[: len(answers)]:
        assert {option: answers[channel].get(option) for option in form} == form
        states = [line for line in lines if line[0] in STATES and line[1]["channel"] == channel]
        assert {isinstance(state[1]["data"].get("deflate"), str) for state in states} == {"encoding" in form}
        deltas = [state[1] for state in states if state[0] == "delta"]
        # Not those that were replayed: these are whole.
        assert len(deltas) == (ROUNDS_BEFORE + ROUNDS_AFTER if form.get("delta") else 0)
        assert all(delta["prev_seq"] == delta["seq"] - 1 for delta in deltas)


@pytest.mark.parametrize("name", OURS)
def test_our_client_holds_what_was_published(story: Story, name: str) -> None:
    """Every state, in order, once, whatever form it came in; and nothing that had to be asked for again."""
    lines = story.lines[name]
    for channel, form in zip(story.channels, FORMS, strict=True):
        given = [line for line in lines if line[0] == channel]
        assert [info["seq"] for _, _, info in given] == list(range(1, LAST + 1))
        assert [state for _, state, _ in given] == [story.saved[channel, seq] for seq in range(1, LAST + 1)]
        assert [info["skipped"] for _, _, info in given] == [None] + [0] * (LAST - 1)
        ways = [info["event"] for _, _, info in given]
        assert ways.count("delta") == (ROUNDS_BEFORE + ROUNDS_AFTER if form.get("delta") else 0)
    notices = [line[0] for line in lines if len(line) == 2]
    assert [notice for notice in notices if notice == "connected"] == ["connected"] * 2
    assert set(notices) == {"connected", "resumed", "disconnected", "token"}
