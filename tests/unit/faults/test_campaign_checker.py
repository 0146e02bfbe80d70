"""The checker of fault campaigns finds what is planted into a sound history, and nothing in a sound one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
for folder in (ROOT / "tests" / "faults", ROOT / "examples"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from campaign.checker import check, window  # noqa: E402
from campaign.facts import Report  # noqa: E402
from campaign.history import Event, Recorder, digests, read  # noqa: E402

START = 1_700_000_000_000
PRODUCT, EXPIRY = "NIFTY", "2026-12-29"
CHAIN = f"chain:{PRODUCT}:{EXPIRY}"
TURNS = 30
FAULT_AT, HEALED_AT = 10, 13
"""Seconds; the Redis of a `sound` history forgets everything in between, and a new epoch begins."""


def snapshot(second: int) -> str:
    return f"{PRODUCT}|{EXPIRY}|{START + 1000 * second}"


def state(second: int, **fields: Any) -> Event:
    """What a client is told each second: `seq` is the second, from 1 on in either epoch."""
    epoch, seq = ("a", second + 1) if second < HEALED_AT else ("b", second - HEALED_AT + 1)
    told = {"event": "update", "channel": CHAIN, "epoch": epoch, "seq": seq, "source_seq": START + 1000 * second}
    told |= {"source_ts": START + 1000 * second, "content": f"content {second}", "exact": f"exact {second}"}
    return told | fields


def client(second: float, number: int = 0, **fields: Any) -> Event:
    return {"kind": "client", "at": START + 1000 * second + 100, "client": number, **fields}


def sound() -> list[Event]:
    """Made, acknowledged, stored and shown each second, except while Redis was away; two clients."""
    made = {"kind": "made", "at": START, "ids": [snapshot(second) for second in range(TURNS)]}
    return [*subscribed(), made, *lived(), *left_behind()]


def subscribed() -> list[Event]:
    ok = {"channel": CHAIN, "epoch": "a", "seq": 1, "recovered": None}
    history: list[Event] = []
    for number in (0, 1):
        history.append(client(0, number, event="connected"))
        history.append(client(0, number, event="answered", ok=[dict(ok)]))
        history.append(client(0, number, **state(0, event="snapshot")))
    return history


def lived() -> list[Event]:
    history: list[Event] = []
    for second in range(TURNS):
        if second == FAULT_AT:
            fault = {"number": 1, "name": "redis forgot", "target": "", "detail": ""}
            history.append({"kind": "fault", "at": START + 1000 * second, **fault})
            history.append({"kind": "held", "at": START + 1000 * second + 50, "ids": []})
        if second == HEALED_AT:
            history.append({"kind": "healed", "at": START + 1000 * second - 1, "number": 1})
            told = {"event": "resync", "channel": CHAIN, "reason": "epoch_changed"}
            history += [client(second - 0.05, number, **told) for number in (0, 1)]
        is_away = FAULT_AT <= second < HEALED_AT
        if not is_away:
            said = {"ids": [snapshot(second)], "stamp": START + 1000 * second + 5}
            history.append({"kind": "acknowledged", "at": START + 1000 * second + 10, **said})
        if second and not is_away:
            event = "snapshot" if second == HEALED_AT else "update"
            history += [client(second, number, **state(second, event=event)) for number in (0, 1)]
    history.append({"kind": "recovered", "at": START + 20_000, "number": 1, "ok": True, "detail": ""})
    return history


def left_behind() -> list[Event]:
    history: list[Event] = []
    end = START + 1000 * TURNS
    for second in range(TURNS):
        if not FAULT_AT <= second < HEALED_AT:
            for collection in ("chain_snapshots", "chain_metrics"):
                one = {"collection": collection, "id": snapshot(second), "times": 1}
                both = {"content": f"content {second}", "exact": f"exact {second}"}
                history.append({"kind": "stored", "at": end, **one, **both})
    last = state(TURNS - 1)
    live = {name: last[name] for name in ("channel", "epoch", "seq", "source_seq", "exact")}
    history.append({"kind": "live", "at": end, **live})
    history.append({"kind": "end", "at": end, "drained": True})
    return history


def checked(history: list[Event]) -> Report:
    return check(history, live_age_ms=8_000, heal_ms=5_000)


def found(history: list[Event]) -> set[str]:
    return {violation.what for violation in checked(history).violations}


def without(history: list[Event], is_planted: Callable[[Event], bool]) -> list[Event]:
    left = [event for event in history if not is_planted(event)]
    assert len(left) < len(history)
    return left


def changed(history: list[Event], is_planted: Callable[[Event], bool], **fields: Any) -> list[Event]:
    assert any(map(is_planted, history))
    return [event | fields if is_planted(event) else event for event in history]


def is_stored(second: int, *collections: str) -> Callable[[Event], bool]:
    wanted = collections or ("chain_snapshots", "chain_metrics")
    return lambda e: e["kind"] == "stored" and e["id"] == snapshot(second) and e["collection"] in wanted


def is_shown(second: int, number: int = 0) -> Callable[[Event], bool]:
    source_seq = START + 1000 * second
    return lambda e: e["kind"] == "client" and e["client"] == number and e.get("source_seq") == source_seq


def test_a_sound_history_has_no_fault():
    report = checked(sound())
    assert report.violations == []
    assert (report.made, report.acknowledged, report.excused) == (30, 27, 0)
    [healing] = report.healings
    assert healing.fresh_ms == pytest.approx(101, abs=1)
    assert healing.lasted_ms == pytest.approx(2_999, abs=1)


def test_a_lost_snapshot_is_found_and_named():
    # Nobody was shown it either.
    history = without(sound(), is_stored(25))
    history = [e for e in history if not (is_shown(25)(e) or is_shown(25, 1)(e))]
    lost = [violation for violation in checked(history).violations if violation.what == "lost"]
    assert [violation.about for violation in lost] == [(snapshot(25),)]


@pytest.mark.parametrize("collection", ["chain_snapshots", "chain_metrics"])
def test_half_a_snapshot_is_lost_too(collection):
    assert "lost" in found(without(sound(), is_stored(5, collection)))


def test_a_shown_snapshot_must_be_stored_even_if_nobody_acknowledged_it():
    history = without(sound(), is_stored(5))
    history = without(history, lambda e: e["kind"] == "acknowledged" and e["ids"] == [snapshot(5)])
    assert "lost" in found(history)


def test_what_a_forgetting_redis_held_is_excused_if_the_feed_does_not_send_it_again():
    gone = without(sound(), is_stored(5))
    held = changed(gone, lambda e: e["kind"] == "held", ids=[snapshot(5)])
    report = checked(held)
    assert report.violations == []
    assert report.excused == 1
    # Acknowledged 1 s before the newest acknowledgement: the feed must have sent that again.
    gone = without(sound(), is_stored(8))
    assert found(changed(gone, lambda e: e["kind"] == "held", ids=[snapshot(8)])) == {"lost"}
    # Held by nobody.
    assert found(without(sound(), is_stored(5))) == {"lost"}


def test_two_documents_of_one_snapshot_are_found():
    assert found(changed(sound(), is_stored(7, "chain_snapshots"), times=2)) == {"duplicated"}


def test_a_snapshot_that_is_shown_twice_is_found_unless_it_was_planted_unannounced():
    history = sound()
    at = next(index for index, event in enumerate(history) if is_shown(25)(event))
    later = [
        event | {"seq": event["seq"] + 1}
        if event["kind"] in ("client", "live") and event.get("epoch") == "b"
        else event
        for event in history[at + 1 :]
        if event.get("client") != 1
    ]
    again = client(25.1, **state(25, seq=state(25)["seq"] + 1))
    # The other client was shown nothing of all this.
    history = [event for event in [*history[: at + 1], again, *later] if event.get("client") != 1]
    assert found(history) == {"duplicated"}
    silent = {"kind": "silent", "at": again["at"], "channel": CHAIN, "epoch": "b", "seq": again["seq"]}
    assert found([*history, silent]) == set()


def test_a_silent_hole_is_found():
    history = without(sound(), is_shown(20))
    assert found(history) == {"silent hole"}
    assert all(violation.about == ("0", CHAIN) for violation in checked(history).violations)


def test_an_announced_hole_is_none():
    history = without(sound(), is_shown(20))
    history = changed(history, is_shown(21), event="snapshot")
    assert found(history) == set()


def test_a_new_epoch_must_be_announced():
    history = without(sound(), lambda e: e["kind"] == "client" and e["event"] == "resync" and e["client"] == 0)
    assert found(history) == {"silent hole"}


def test_going_back_in_time_is_found():
    history = changed(sound(), is_shown(21), source_seq=START + 1000 * 19, content="content 19", exact="exact 21")
    assert "silent hole" in found(history)


@pytest.mark.parametrize("collection", ["chain_snapshots", "chain_metrics", "ticks"])
def test_an_invented_document_is_found(collection):
    one = {"collection": collection, "id": f"{PRODUCT}|{EXPIRY}|1", "times": 1, "content": "", "exact": ""}
    if collection == "ticks":
        one["id"] = f"{PRODUCT}|1"
    assert found([*sound(), {"kind": "stored", "at": START, **one}]) == {"unexpected"}


def test_numbers_that_are_not_those_that_are_stored_are_found():
    assert found(changed(sound(), is_stored(5, "chain_snapshots"), content="others")) == {"unexpected"}


def test_two_clients_that_were_told_different_things_are_found():
    assert "silent hole" in found(changed(sound(), is_shown(5, 1), exact="something else"))


@pytest.mark.parametrize("field", ["exact", "seq"])
def test_a_redis_that_ends_elsewhere_is_found(field):
    other = {"exact": "other bytes", "seq": 1}[field]
    assert found(changed(sound(), lambda e: e["kind"] == "live", **{field: other})) == {"diverged"}


def test_a_mongodb_that_ends_with_other_bytes_is_found():
    assert found(changed(sound(), is_stored(TURNS - 1, "chain_snapshots"), exact="other bytes")) == {"diverged"}


def status(second: float, *live: str) -> Event:
    told = {"event": "update", "channel": "status", "epoch": "s", "seq": 0, "source_seq": None, "source_ts": None}
    told |= {"server_ts": START + 1000 * second, "live": list(live), "content": "", "exact": ""}
    return client(second, **told)


def with_status(history: list[Event], states: dict[int, tuple[str, ...]]) -> list[Event]:
    """Told to the first client at these seconds; the first one is a snapshot after its ack."""
    found = list(history)
    for seq, (second, live) in enumerate(states.items(), 1):
        event = status(second, *live) | {"seq": seq, "exact": f"status {seq}"}
        if seq == 1:
            event["event"] = "snapshot"
            answered = next(e for e in found if e["kind"] == "client" and e["event"] == "answered" and e["client"] == 0)
            answered["ok"].append({"channel": "status", "epoch": "s", "seq": 1, "recovered": None})
        found.append(event)
    return sorted(found, key=lambda event: event["at"])


def quiet() -> list[Event]:
    """For ten seconds the first client is shown nothing new."""
    silent = [event for event in sound() if not any(is_shown(second)(event) for second in range(16, 26))]
    return changed(silent, is_shown(26), event="snapshot")


@pytest.mark.parametrize("live", [f"{PRODUCT}|", f"{PRODUCT}|{EXPIRY}"], ids=["product", "expiry"])
def test_a_status_that_calls_old_news_live_is_found(live):
    assert found(with_status(quiet(), {2: (), 24: (), 25: ()})) == set()
    assert found(with_status(quiet(), {19: (live,), 20: (live,)})) == set(), "5 s are not too old"
    assert found(with_status(quiet(), {24: (live,), 25: (live,)})) == {"stale while live"}


def test_a_status_may_come_a_moment_before_the_news():
    assert found(with_status(quiet(), {2: (), 25: (f"{PRODUCT}|",), 26: (f"{PRODUCT}|",)})) == set()


def test_an_old_status_says_nothing():
    late = with_status(quiet(), {24: (f"{PRODUCT}|",), 25: (f"{PRODUCT}|",)})
    assert found(changed(late, lambda e: "server_ts" in e, server_ts=START + 15_000)) == set()


def test_a_client_that_waits_too_long_after_a_fault_is_found():
    late = [e for e in sound() if not any(is_shown(second, 1)(e) for second in range(HEALED_AT, 20))]
    late = changed(late, is_shown(20, 1), event="snapshot")
    assert found(late) == {"not recovered"}


@pytest.mark.parametrize("kind", ["recovered", "end"])
def test_an_end_without_rest_is_found(kind):
    assert found(changed(sound(), lambda e: e["kind"] == kind, ok=False, drained=False, detail="why")) == {
        "not recovered"
    }
    assert found(without(sound(), lambda e: e["kind"] == kind)) == {"not recovered"}


def test_poison_must_be_a_dead_letter_for_its_reason_and_nothing_else_may_be_one():
    poison = {"kind": "poison", "at": START + 20_000, "entry": "market:chains|1-0", "reason": "crossed"}
    dead = {"kind": "dead", "at": START + 30_000, "entry": "market:chains|1-0", "id": None, "reason": "crossed"}
    assert found([*sound(), poison, dead]) == set()
    assert found([*sound(), poison]) == {"dead letter"}
    assert found([*sound(), poison, dead | {"reason": "malformed"}]) == {"dead letter"}
    assert found([*sound(), dead]) == {"dead letter"}
    assert found([*sound(), poison | {"at": START + 5_000}]) == set(), "lost with all that Redis held"


def test_the_window_shows_the_fault_and_little_else():
    history = sorted(without(sound(), is_shown(20)), key=lambda event: event["at"])
    violation = checked(history).violations[0]
    shown = window(history, violation, most=12)
    assert len(shown) <= 12
    assert {event["client"] for event in shown if event["kind"] == "client"} == {0}
    assert {19, 21} <= {event["seq"] + HEALED_AT - 1 for event in shown if event["kind"] == "client"}


def test_events_survive_the_file(tmp_path):
    recorder = Recorder(tmp_path / "history.jsonl")
    at = recorder.note("made", ids=["a"])
    recorder.note("end", at=5.0, drained=True)
    recorder.close()
    assert list(read(recorder.path)) == [
        {"kind": "made", "at": round(at, 1), "ids": ["a"]},
        {"kind": "end", "at": 5.0, "drained": True},
    ]


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="guess"):
        checked([*sound(), {"kind": "guess", "at": 1.0}])


def test_content_is_what_was_computed_not_when():
    first, later = {"b": 1, "a": [2.0], "computed_ts": 1}, {"a": [2.0], "b": 1, "computed_ts": 2}
    assert digests(first)[0] == digests(later)[0]
    assert digests(first)[1] != digests(later)[1]
    assert digests(first | {"b": 2})[0] != digests(first)[0]
