"""Turns of series: whatever comes and goes, none is in two batches at once, and each keeps its order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from worker_enricher.lanes import LANES, TURN_SECONDS, Lanes


@given(st.lists(st.one_of(st.integers(0, 5), st.just("take"), st.just("done"), st.just("unknown")), max_size=200))
@settings(max_examples=300, deadline=None)
def test_series_are_in_one_batch_at_a_time_and_in_order(steps: list[int | str]) -> None:
    lanes = Lanes()
    put: dict[str, list[str]] = {}
    taken: dict[str, list[str]] = {}
    running: list[tuple[int, set[str]]] = []
    waiting = 0
    for moment, step in enumerate(steps):
        if step == "unknown":
            lanes.put(("s", f"?{moment}", None))
            waiting += 1
        elif isinstance(step, int):
            series = f"NIFTY|{step}"
            put.setdefault(series, []).append(f"{series}#{moment}")
            lanes.put(("s", f"{series}#{moment}", f"{series}|{moment}"))
            waiting += 1
        elif step == "done" and running:
            lanes.done(running.pop(0)[0])
        elif step == "take":
            turn = lanes.take(3, 0.0)
            if turn is None:
                continue
            waiting -= len(turn.entries)
            assert 1 <= len(turn.entries) <= 3
            held = {entry.partition("#")[0] for _, entry, _ in turn.entries if not entry.startswith("?")}
            assert (turn.number is None) == (not held)
            assert all(held.isdisjoint(others) for _, others in running)
            if turn.number is not None:
                running.append((turn.number, held))
            for _, entry, _ in turn.entries:
                if not entry.startswith("?"):
                    taken.setdefault(entry.partition("#")[0], []).append(entry)
        assert len(lanes) == waiting
    assert all(put[series][: len(entries)] == entries for series, entries in taken.items())


def test_many_series_fill_several_batches_at_once() -> None:
    lanes = Lanes()
    for n in range(1_000):
        lanes.put(("s", str(n), f"NIFTY|{n}|1"))
    turns = [lanes.take(64, 0.0) for _ in range(8)]
    assert [len(turn.entries) for turn in turns if turn is not None] == [64] * 8
    assert LANES >= 8


def test_a_task_that_does_not_come_back_holds_its_series_for_a_moment_only() -> None:
    lanes = Lanes()
    lanes.put(("s", "1", "NIFTY|a|1"))
    first = lanes.take(9, 0.0)
    assert first is not None
    lanes.put(("s", "2", "NIFTY|a|2"))
    lanes.give_up(TURN_SECONDS)
    assert lanes.take(9, TURN_SECONDS) is None
    lanes.give_up(TURN_SECONDS + 0.1)
    second = lanes.take(9, TURN_SECONDS + 0.1)
    assert second is not None
    assert second.entries == [("s", "2", "NIFTY|a|2")]
    lanes.put(("s", "3", "NIFTY|a|3"))
    assert first.number is not None
    lanes.done(first.number)
    assert lanes.take(9, TURN_SECONDS + 0.2) is None, "what comes back late opens nobody else's lane"
