"""Rates, without sending anything: when the next message may go, what it must be, and who is due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socket_gateway.frames import Message
from socket_gateway.pacing import Pace, Waiting


def message(seq: int, epoch: str = "e") -> Message:
    return Message("status", epoch, seq, b"{}")


def test_the_next_message_may_go_after_an_interval() -> None:
    pace = Pace(4.0)
    assert pace.wait(100.0) is None, "nothing was sent yet"
    pace.sent("e", 1, 100.0)
    assert pace.wait(100.0) == 100.25
    assert pace.wait(100.249) == 100.25
    assert pace.wait(100.25) is None


def test_a_message_follows_only_the_one_before_it() -> None:
    pace = Pace(4.0)
    assert not pace.follows(message(1))
    pace.sent("e", 5, 0.0)
    assert pace.follows(message(6))
    for other in (message(5), message(7), message(6, "f")):
        assert not pace.follows(other)
    assert pace.seq == 5


def test_sending_ends_the_wait() -> None:
    pace = Pace(4.0)
    pace.is_waiting = True
    pace.sent("e", 5, 0.0)
    assert not pace.is_waiting


@given(rate=st.floats(0.1, 100), gaps=st.lists(st.floats(0, 0.5), max_size=50))
def test_no_window_of_a_second_holds_more_than_the_rate(rate: float, gaps: list[float]) -> None:
    pace, now, sent = Pace(rate), 1_000.0, []
    for gap in gaps:
        now += gap
        if pace.wait(now) is None:
            pace.sent("e", len(sent), now)
            sent.append(now)
    for start in sent:
        assert sum(start <= at < start + 1 for at in sent) <= rate + 1
        assert all(at - start > 0.999 / rate for at in sent if at > start)


def test_waiters_come_out_by_time_and_in_order() -> None:
    waiting: Waiting[str] = Waiting()
    for name, due in (("late", 2.0), ("first", 1.0), ("second", 1.0)):
        waiting.add(name, due)
    assert waiting.next_due() == 1.0
    assert waiting.due(0.9) == []
    assert waiting.due(1.0) == ["first", "second"]
    assert len(waiting) == 1
    assert waiting.due(5.0) == ["late"]
    assert waiting.next_due() is None


@pytest.mark.parametrize("kept", ["", "ace", "abcdef"])
def test_those_who_left_are_taken_out(kept: str) -> None:
    waiting: Waiting[str] = Waiting()
    for number, name in enumerate("fbdeca"):
        waiting.add(name, number % 3)
    waiting.keep(lambda name: name in kept)
    assert set(waiting.due(9.0)) == set(kept)
