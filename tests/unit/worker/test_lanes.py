"""Turns of series: whatever comes and goes, none is in two batches at once, and each keeps its order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker_enricher.lanes import LANES, PAST_MS, TURN_SECONDS, Entry, Lanes

NOW_MS = 1_796_000_000_000


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
            lanes.put(Entry("s", f"?{moment}", None), 0.0)
            waiting += 1
        elif isinstance(step, int):
            series = f"NIFTY|{step}"
            put.setdefault(series, []).append(f"{series}#{moment}")
            lanes.put(Entry("s", f"{series}#{moment}", f"{series}|{moment}"), 0.0)
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
        lanes.put(Entry("s", str(n), f"NIFTY|{n}|1"), 0.0)
    turns = [lanes.take(64, 0.0) for _ in range(8)]
    assert [len(turn.entries) for turn in turns if turn is not None] == [64] * 8
    assert LANES >= 8


def test_no_lane_is_begun_when_there_are_enough() -> None:
    lanes = Lanes()
    for series in range(320):
        lanes.put(entry(series, 1), 0.0)
    most, enough = 200, 100
    sizes = []
    while (turn := lanes.take(most, 0.0, enough=enough)) is not None:
        sizes.append(len(turn.entries))
    assert sum(sizes) == 320
    assert all(enough <= size < enough + 40 for size in sizes[:-1]), sizes
    for series in range(10):
        lanes.put(entry(series, 2), 0.0)
    assert lanes.take(most, 0.0, enough=enough) is None, "nothing of any lane was left to another batch"


def test_a_task_that_does_not_come_back_holds_its_series_for_a_moment_only() -> None:
    lanes = Lanes()
    lanes.put(Entry("s", "1", "NIFTY|a|1"), 0.0)
    first = lanes.take(9, 0.0)
    assert first is not None
    lanes.put(Entry("s", "2", "NIFTY|a|2"), 0.0)
    lanes.give_up(TURN_SECONDS)
    assert lanes.take(9, TURN_SECONDS) is None
    lanes.give_up(TURN_SECONDS + 0.1)
    second = lanes.take(9, TURN_SECONDS + 0.1)
    assert second is not None
    assert second.entries == [("s", "2", "NIFTY|a|2")]
    lanes.put(Entry("s", "3", "NIFTY|a|3"), 0.0)
    assert first.number is not None
    lanes.done(first.number)
    assert lanes.take(9, TURN_SECONDS + 0.2) is None, "what comes back late opens nobody else's lane"


def entry(series: int, number: int, *, age_ms: int = 0) -> Entry:
    """One that came at `number` milliseconds, `age_ms` after the instant it is numbered by."""
    return Entry("s", f"{NOW_MS + number}-0", f"NIFTY|{series}|{NOW_MS + number - age_ms}")


def said(entries: list[Entry]) -> list[tuple[str, int]]:
    return [(name.rpartition("|")[0], int(name.rpartition("|")[2])) for _, _, name in entries if name is not None]


@given(st.lists(st.one_of(st.tuples(st.integers(0, 3), st.booleans()), st.sampled_from(["take", "done", "conflate"]))))
@settings(max_examples=300, deadline=None)
def test_what_is_conflated_is_superseded_and_nothing_is_lost(steps: list[tuple[int, bool] | str]) -> None:
    lanes = Lanes()
    put: list[Entry] = []
    taken: list[Entry] = []
    passed: list[Entry] = []
    running: list[int] = []
    for moment, step in enumerate(steps):
        if step == "take":
            turn = lanes.take(2, 0.0)
            if turn is not None:
                taken += turn.entries
                running += [] if turn.number is None else [turn.number]
        elif step == "done":
            for number in running[:1]:
                lanes.done(running.pop(running.index(number)))
        elif step == "conflate":
            superseded = lanes.conflate()
            waiting = set(put) - set(taken) - set(passed) - set(superseded)
            for (series, number), old in zip(said(superseded), superseded, strict=True):
                assert not is_history(old)
                assert any(key == series and other > number for key, other in said(list(waiting)))
            present = [key for key, _ in said([item for item in waiting if not is_history(item)])]
            assert len(present) == len(set(present)), "one of each series is left"
            passed += superseded
        elif not isinstance(step, str):
            series, is_past = step
            put.append(entry(series, moment, age_ms=2 * PAST_MS if is_past else 0))
            lanes.put(put[-1], 0.0)
        assert len(lanes) == len(put) - len(taken) - len(passed)
    assert len(set(taken + passed)) == len(taken + passed)
    for series in {key for key, _ in said(put)}:
        order = [number for key, number in said([item for item in taken if not is_history(item)]) if key == series]
        assert order == sorted(order), "clients never go back"
    history = [item for item in put if is_history(item)]
    assert not set(history) & set(passed), "what is filled in is history, and is neither first nor passed over"


def is_history(item: Entry) -> bool:
    [(_, number)] = said([item])
    return int(item.id.partition("-")[0]) - number >= PAST_MS


def test_the_newest_takes_the_place_of_the_oldest() -> None:
    lanes = Lanes()
    for series, number in ((1, 0), (2, 1), (1, 2), (1, 3)):
        lanes.put(entry(series, number), float(number))
    assert lanes.longest_wait(5.0) == 5.0
    assert lanes.conflate() == [entry(1, 0), entry(1, 2)]
    assert (len(lanes), lanes.longest_wait(5.0)) == (2, 5.0)
    lanes = Lanes()
    lanes.put(entry(7, 9), 0.0)
    lanes.put(entry(7, 4), 0.0)
    assert lanes.conflate() == [entry(7, 4)], "by its number, not by when it came"
    assert lanes.longest_wait(0.5) == 0.5
    assert Lanes().longest_wait(9.0) == 0.0


def test_every_series_has_its_turn_while_others_go_on_coming() -> None:
    lanes = Lanes()
    for series in range(320):
        lanes.put(entry(series, 0), 0.0)
    seen: set[str] = set()
    taken = 0
    while len(seen) < 320:
        turn = lanes.take(64, 0.0)
        assert turn is not None
        assert turn.number is not None
        lanes.done(turn.number)
        taken += len(turn.entries)
        for series, _ in said(turn.entries):
            seen.add(series)
            lanes.put(entry(int(series.rpartition("|")[2]), taken), 0.0)
    assert taken < 3 * 320


@pytest.mark.parametrize("most", range(64, 80))
def test_the_lane_that_batches_end_in_does_not_starve(most: int) -> None:
    """Two batches take nearly all series, which always have news: what they leave is not the same lanes each time."""
    lanes, names = Lanes(), range(160)
    taken = dict.fromkeys(names, 0)
    under_way: list[int] = []
    for step in range(60):
        now = float(step)
        for series in names:
            lanes.put(entry(series, step), now)
        lanes.conflate()
        turn = lanes.take(most, now)
        assert turn is not None
        assert turn.number is not None
        under_way.append(turn.number)
        if len(under_way) == 2:
            lanes.done(under_way.pop(0))
        for series, _ in said(turn.entries):
            taken[int(series.rpartition("|")[2])] += 1
    assert min(taken.values()) >= 0.5 * max(taken.values())
