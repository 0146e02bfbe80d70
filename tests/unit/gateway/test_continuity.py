"""The checker of the fault tests must find what it is there for, and nothing else."""

from typing import Any

import pytest

from aro.testing.continuity import Continuity, Truth

CHANNEL = "ticks:NIFTY"


def message(seq: int, epoch: str = "e1", **more: Any) -> dict[str, Any]:
    return {"channel": CHANNEL, "epoch": epoch, "seq": seq, "data": {"n": (epoch, seq)}, **more}


def entry(seq: int | None, epoch: str = "e1", **more: Any) -> dict[str, Any]:
    return {"channel": CHANNEL, "epoch": epoch, "seq": seq, **more}


def play(*steps: Any, truth: Truth | None = None) -> Continuity:
    """``connected``, ("ack", entry), or (event, message) each."""
    checked = Continuity(Truth() if truth is None else truth)
    for step in steps:
        match step:
            case "connected":
                checked.connected()
            case ("ack", told):
                checked.answered([told])
            case (event, told):
                checked.take(event, told)
    return checked


SUBSCRIBED = ("connected", ("ack", entry(5)), ("snapshot", message(5)))
RESYNC = ("resync", {"channel": CHANNEL, "reason": "gap"})


@pytest.mark.parametrize(
    "steps",
    [
        [*SUBSCRIBED, ("update", message(6)), ("update", message(7))],
        [*SUBSCRIBED, ("snapshot", message(9)), ("update", message(10))],
        [*SUBSCRIBED, ("delta", message(6, prev_seq=5)), ("update", message(7))],
        [*SUBSCRIBED, RESYNC, ("snapshot", message(1, "e2")), ("update", message(2, "e2"))],
        [*SUBSCRIBED, RESYNC, ("snapshot", message(9)), ("update", message(10))],
        [*SUBSCRIBED, ("heartbeat", {"channels": {CHANNEL: 5, "other": 3}}), ("update", message(6))],
        [*SUBSCRIBED, ("ack", entry(5)), ("snapshot", message(5)), ("update", message(6))],
        [*SUBSCRIBED, "connected", ("ack", entry(7, recovered=True)), ("update", message(6)), ("update", message(7))],
        [*SUBSCRIBED, "connected", ("ack", entry(5, recovered=True)), ("update", message(6))],
        [*SUBSCRIBED, "connected", ("ack", entry(9, recovered=False)), ("snapshot", message(9))],
        [*SUBSCRIBED, "connected", ("ack", entry(1, "e2", recovered=False)), ("snapshot", message(1, "e2"))],
        [*SUBSCRIBED, "connected", ("ack", entry(7)), ("snapshot", message(8)), ("update", message(9))],
        ["connected", ("ack", entry(None)), ("snapshot", message(1))],
    ],
)
def test_what_is_allowed(steps: list[Any]) -> None:
    assert play(*steps).faults == []


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ("update after e1/5", [*SUBSCRIBED, ("update", message(7))]),
        ("update after e1/6", [*SUBSCRIBED, ("update", message(6)), ("update", message(6))]),
        ("update after e1/6", [*SUBSCRIBED, ("update", message(6)), ("update", message(5))]),
        ("update after e1/5", [*SUBSCRIBED, ("update", message(6, "e2"))]),
        ("delta after e1/5", [*SUBSCRIBED, ("delta", message(7, prev_seq=6))]),
        ("delta from 4", [*SUBSCRIBED, ("delta", message(6, prev_seq=4))]),
        ("snapshot after e1/5", [*SUBSCRIBED, ("snapshot", message(4))]),
        ("snapshot after e1/5", [*SUBSCRIBED, ("snapshot", message(5))]),
        ("unannounced", [*SUBSCRIBED, ("snapshot", message(1, "e2"))]),
        ("instead of a snapshot", [*SUBSCRIBED, RESYNC, ("update", message(6))]),
        ("instead of a snapshot", ["connected", ("ack", entry(5)), ("update", message(6))]),
        ("without a subscription", ["connected", ("snapshot", message(5))]),
        ("without a subscription", [*SUBSCRIBED, "connected", ("update", message(6))]),
        ("heartbeat says 6", [*SUBSCRIBED, ("heartbeat", {"channels": {CHANNEL: 6}})]),
        (
            "was left before",
            [*SUBSCRIBED, RESYNC, ("snapshot", message(1, "e2")), RESYNC, ("snapshot", message(6))],
        ),
        ("snapshot after e1/5", [*SUBSCRIBED, RESYNC, ("snapshot", message(3))]),
        ("older than the answer", [*SUBSCRIBED, "connected", ("ack", entry(9)), ("snapshot", message(8))]),
        (
            "update after e1/5",
            [*SUBSCRIBED, "connected", ("ack", entry(7, recovered=True)), ("update", message(7))],
        ),
        ("recovered, but", [*SUBSCRIBED, "connected", ("ack", entry(7, "e2", recovered=True))]),
        ("other data", [*SUBSCRIBED, ("update", message(6, data={"n": 0})), RESYNC, ("snapshot", message(6))]),
    ],
)
def test_what_is_not(words: str, steps: list[Any]) -> None:
    assert words in " ".join(play(*steps).faults)


def test_two_clients_must_be_told_the_same() -> None:
    truth = Truth()
    assert play(*SUBSCRIBED, truth=truth).faults == []
    other = ("snapshot", message(5, data={"n": "something else"}))
    assert "other data" in play("connected", ("ack", entry(5)), other, truth=truth).faults[0]


def test_what_was_skipped_is_counted_and_the_end_is_compared() -> None:
    checked = play(*SUBSCRIBED, ("snapshot", message(9)), ("update", message(10)))
    assert (checked.told["skipped"], checked.told["update"]) == (3, 1)
    assert checked.positions() == {CHANNEL: {"epoch": "e1", "seq": 10}}
    checked.end({CHANNEL: ("e1", 10), "other": ("e1", 1)})
    assert checked.faults == []
    checked.end({CHANNEL: ("e1", 11)})
    assert "ended at e1/10" in checked.faults[0]
