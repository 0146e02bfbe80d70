"""What sessions play goes to Celery one task at a time, comes again if it is lost, and is given up in the end."""

from collections.abc import Sequence
from typing import Any

import pytest

from aro.adapters.clock import ManualClock
from worker_enricher import replay_consumer
from worker_enricher.replay_consumer import ALONE_FROM_ATTEMPT, MAX_ATTEMPTS, MOST_PER_TASK, ReplayConsumer


class Entries:
    """A ledger in memory; `poison` is what no worker survives."""

    def __init__(self, count: int) -> None:
        self.ids = [f"{number}-0" for number in range(1, count + 1)]
        self.poison = ""
        self.tasks: list[list[str]] = []
        self.queued = 0

    def oldest(self, most: int) -> list[str]:
        return self.ids[:most]

    def has(self, entry: str) -> bool:
        return entry in self.ids

    def remove(self, ids: Sequence[str]) -> None:
        self.ids = [entry for entry in self.ids if entry not in ids]

    def run(self, ids: Sequence[str]) -> None:
        self.tasks.append(list(ids))
        if self.poison not in ids:
            self.remove(ids)


class Turn:
    def __init__(self) -> None:
        self.is_ours = True

    def hold(self, _key: str, _holder: str, *, milliseconds: int) -> bool:
        return self.is_ours and milliseconds > 0


@pytest.fixture
def turn() -> Turn:
    return Turn()


def consumer(entries: Entries, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> ReplayConsumer:
    monkeypatch.setattr(replay_consumer, "TASK_SECONDS", 0)
    parts: Any = (turn, entries)
    return ReplayConsumer(*parts, entries.run, lambda: entries.queued, ManualClock(0), name="one")


def test_the_oldest_go_first_and_few_at_a_time(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = Entries(MOST_PER_TASK + 3)
    expected = list(entries.ids)
    made = consumer(entries, turn, monkeypatch)
    while entries.ids:
        assert made.turn()
    assert entries.tasks == [expected[:MOST_PER_TASK], expected[MOST_PER_TASK:]]


def test_without_the_turn_nothing_is_sent(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = Entries(2)
    turn.is_ours = False
    assert not consumer(entries, turn, monkeypatch).turn()
    assert entries.tasks == []


def test_while_no_worker_takes_a_task_nothing_is_given_up(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = Entries(2)
    entries.queued = 1
    made = consumer(entries, turn, monkeypatch)
    for _ in range(MAX_ATTEMPTS + 1):
        assert made.turn()
    assert (len(entries.ids), entries.tasks) == (2, [])


def test_what_ends_its_worker_is_tried_alone_then_given_up(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = Entries(4)
    entries.poison = entries.ids[0]
    made = consumer(entries, turn, monkeypatch)
    while entries.ids:
        made.turn()
    sizes = [len(task) for task in entries.tasks]
    assert sizes == [4] * (ALONE_FROM_ATTEMPT - 1) + [1] * (MAX_ATTEMPTS - ALONE_FROM_ATTEMPT + 1) + [3]
    assert entries.poison not in entries.tasks[-1]
