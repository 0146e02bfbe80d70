"""One line for each burst, with the id of everything in it."""

from typing import Any

import pytest

from aro.adapters.live import LiveState
from socket_gateway import passed_on
from socket_gateway.passed_on import MOST_IDS, PassedOn


def state(channel: str, source_seq: int = 7) -> LiveState:
    return LiveState(channel, "e1", 1, source_seq, 0, b"{}")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    class Log:
        def info(self, _: str, **fields: Any) -> None:
            found.append(fields)

    monkeypatch.setattr(passed_on, "log", Log())
    return found


def test_a_burst_is_said_once_when_it_is_over(said: list[dict[str, Any]]) -> None:
    burst = PassedOn()
    burst.say(0.0)
    for channel in ("metrics:NIFTY:2026-12-29", "chain:NIFTY:2026-12-29", "ticks:NIFTY", "status", "surface:NIFTY"):
        burst.note(state(channel), 10.0)
        burst.say(10.1)
    assert said == []
    burst.say(10.3)
    assert said == [{"messages": 3, "trace.ids": ["NIFTY|2026-12-29|7", "NIFTY|7"]}]
    burst.say(20.0)
    assert len(said) == 1


def test_a_long_burst_is_said_in_parts(said: list[dict[str, Any]]) -> None:
    burst = PassedOn()
    for number in range(2 * MOST_IDS):
        burst.note(state("ticks:NIFTY", number), 1.0)
        burst.say(1.0)
    assert [len(fields["trace.ids"]) for fields in said] == [MOST_IDS, MOST_IDS]
