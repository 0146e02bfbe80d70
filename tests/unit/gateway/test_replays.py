"""Channels of replay sessions: who may name them, and what their patterns stand for."""

from typing import Any

import pytest

from aro.contracts.problems import AroError
from socket_gateway.catalog import Catalog
from socket_gateway.replays import Allowed, parse_ending

MINE, FOREIGN = "0123456789abcdef", "fedcba9876543210"
STATES = {f"replay:{MINE}:chain:NIFTY:2026-12-29", f"replay:{MINE}:chain:NIFTY:2026-12-01", f"replay:{MINE}:status"}


def resolve(text: str, allowed: Allowed) -> list[str]:
    no_live_state: Any = None
    return Catalog(no_live_state, lambda: True).resolve(text, allowed)


@pytest.mark.parametrize("channel", ["status", "ticks:NIFTY", "metrics:SPY:2030-01-01", "chain:NIFTY:2026-12-29"])
def test_an_owner_names_what_is_and_what_will_be(channel: str) -> None:
    text = f"replay:{MINE}:{channel}"
    assert resolve(text, Allowed({MINE: STATES})) == [text]


def test_a_pattern_stands_for_what_has_state() -> None:
    found = resolve(f"replay:{MINE}:chain:NIFTY:*", Allowed({MINE: STATES}))
    assert found == [f"replay:{MINE}:chain:NIFTY:2026-12-01", f"replay:{MINE}:chain:NIFTY:2026-12-29"]


@pytest.mark.parametrize(
    ("text", "allowed", "code"),
    [
        (f"replay:{FOREIGN}:status", Allowed({MINE: STATES}), "unknown_channel"),
        (f"replay:{MINE}:status", Allowed(), "unknown_channel"),
        (f"replay:{MINE}:status", Allowed(is_known=False), "service_unavailable"),
        (f"replay:{MINE}:metrics:NIFTY:*", Allowed({MINE: STATES}), "unknown_expiry"),
        (f"replay:{MINE}:ticks:DOGE", Allowed({MINE: STATES}), "unknown_product"),
    ],
)
def test_everything_else_has_a_code(text: str, allowed: Allowed, code: str) -> None:
    with pytest.raises(AroError) as caught:
        resolve(text, allowed)
    assert caught.value.code == code


def test_the_end_of_a_session_is_an_announcement_of_its_own() -> None:
    assert parse_ending(f"replay-ended {MINE} nobody listens".encode()) == (MINE, "nobody listens")
    assert parse_ending(b"replay-ended") is None
    assert parse_ending(f'replay:{MINE}:status 1 2 3 4\n{{"a":1}}'.encode()) is None
