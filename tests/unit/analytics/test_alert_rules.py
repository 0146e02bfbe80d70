"""When alerts go off, and which expiry is the nearest."""

from typing import Any

import msgspec
import pytest

from analytics_service.alert_rules import goes_off, is_beyond
from analytics_service.alert_watch import Evaluator
from aro.adapters.alert_store import Alert
from aro.testing import enriched

NOW = enriched.SNAPSHOT_TS


@pytest.mark.parametrize(
    ("op", "was", "now", "fires"),
    [
        ("above", None, True, True),
        ("above", False, True, True),
        ("above", True, True, False),
        ("below", None, True, True),
        ("crosses_above", None, True, False),
        ("crosses_above", False, True, True),
        ("crosses_below", True, True, False),
        ("crosses_below", False, False, False),
    ],
)
def test_when_it_goes_off(op, was, now, fires):
    assert goes_off(op, was_beyond=was, now_beyond=now) is fires


def test_the_threshold_itself_is_not_beyond():
    assert not is_beyond("above", 1.0, 1.0)
    assert not is_beyond("crosses_below", 1.0, 1.0)
    assert is_beyond("below", 1.0, 0.5)


def alert(**fields: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "a",
        "owner": "me",
        "product": "NIFTY",
        "expiry": None,
        "metric": "iv_atm",
        "op": "above",
        "threshold": 0.2,
        "once": False,
        "note": "",
        "created_ts": 1,
    }
    return Alert(**{**values, **fields})


def state(iv: float | None, seconds: int, expiry: str = "2026-11-23", **head: Any):
    made = enriched.record(NOW + 1000 * seconds, expiry=expiry, **head).metrics
    return msgspec.structs.replace(made, iv_atm=iv)


def fired(evaluator: Evaluator, states: list) -> list[float]:
    return [event.value for item in states for _, _, event in evaluator.see(item) if event is not None]


def test_it_goes_off_once_per_stay():
    evaluator = Evaluator()
    evaluator.watch([alert()])
    values = [0.3, 0.31, None, 0.1, 0.25, 0.2, 0.21]
    assert fired(evaluator, [state(value, n) for n, value in enumerate(values)]) == [0.3, 0.25, 0.21]


def test_a_crossing_needs_the_other_side_first():
    evaluator = Evaluator()
    evaluator.watch([alert(op="crosses_above")])
    assert fired(evaluator, [state(value, n) for n, value in enumerate([0.3, 0.1, 0.3])]) == [0.3]


def test_what_was_remembered_before_a_restart_counts():
    evaluator = Evaluator()
    evaluator.watch([alert(beyond=True)])
    assert fired(evaluator, [state(0.3, 1)]) == []


def test_old_states_and_other_products_change_nothing():
    evaluator = Evaluator()
    evaluator.watch([alert()])
    assert fired(evaluator, [state(0.1, 2), state(0.3, 1), state(0.3, 3, product="SPY")]) == []


def test_without_expiry_it_follows_the_nearest():
    day = 86_400_000
    evaluator = Evaluator()
    evaluator.watch([alert(), alert(id="far", expiry="2026-11-30")])
    near, far = {"expiry_ts": NOW + 3_000}, {"expiry_ts": NOW + 7 * day}
    evaluator.see(state(0.1, 0, **near))
    evaluator.see(state(0.1, 0, expiry="2026-11-30", **far))
    [(one, _, event)] = evaluator.see(state(0.3, 1, expiry="2026-11-30", **far))
    assert (one.id, event.expiry) == ("far", "2026-11-30")
    # Past its instant the first one is over, and the next is the nearest.
    changes = evaluator.see(state(0.31, 4, expiry="2026-11-30", **far))
    assert [item.id for item, _, _ in changes] == ["a"]


def test_an_alert_that_is_gone_is_forgotten():
    evaluator = Evaluator()
    evaluator.watch([alert()])
    evaluator.see(state(0.1, 0))
    evaluator.watch([])
    assert fired(evaluator, [state(0.3, 1)]) == []
