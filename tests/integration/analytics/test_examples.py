"""Examples in the API's description are answers that were really given, shortened.

``ARO_WRITE_EXAMPLES=1`` writes them anew.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

import analytics_service
from analytics_service import alert_routes, answers, replay_routes, surface_answers
from analytics_service.examples import example

WRITE = "ARO_WRITE_EXAMPLES"
FILE = Path(analytics_service.__file__).with_name("examples.json")
KEPT = 3
"""Entries of a list."""
QUESTIONS: dict[str, tuple[str, dict[str, Any], type]] = {
    "pcr": ("/analytics/NIFTY/pcr", {"interval": "5m"}, answers.PcrAnswer),
    "straddle": ("/analytics/NIFTY/straddle", {}, answers.StraddleAnswer),
    "expected-move": ("/analytics/NIFTY/expected-move", {"scope": "next3"}, answers.ExpectedMoveAnswer),
    "max-pain": ("/analytics/NIFTY/max-pain", {}, answers.MaxPainAnswer),
    "gex": ("/analytics/NIFTY/gex", {}, answers.GexAnswer),
    "smile": ("/analytics/NIFTY/smile", {}, surface_answers.SmileAnswer),
    "oi-change": ("/analytics/NIFTY/oi-change", {"window": "5m"}, answers.OiChangeAnswer),
    "oi-buildup": ("/analytics/NIFTY/oi-buildup", {"window": "5m"}, answers.OiBuildupAnswer),
    "strategy": ("/analytics/NIFTY/strategy", {"legs": "{atm}CE,{atm}PE"}, answers.StrategyAnswer),
    "surface": (
        "/analytics/NIFTY/surface",
        {"axis": "delta", "points": "0.25,0.5,0.75"},
        surface_answers.SurfaceAnswer,
    ),
    "term-structure": ("/analytics/NIFTY/term-structure", {}, surface_answers.TermStructureAnswer),
    "variance-index": ("/analytics/NIFTY/variance-index", {}, surface_answers.VarianceIndexAnswer),
    "iv-rank": ("/analytics/NIFTY/iv-rank", {"days": 3}, surface_answers.IvRankAnswer),
    "realised": ("/analytics/NIFTY/realised", {"interval": "1m", "window": 10}, surface_answers.RealisedAnswer),
    "ohlc": ("/ohlc/NIFTY", {"interval": "5m"}, answers.BarsAnswer),
}
ALERT = {
    "id": "6f1c2a9d04b87e5533aa9c10",
    "product": "NIFTY",
    "expiry": None,
    "metric": "iv_atm",
    "op": "above",
    "threshold": 0.2,
    "once": True,
    "note": "weekly volatility over 20 %",
    "active": True,
    "created_ts": 1795000000000,
    "created_time": "2026-11-18T12:26:40.000+00:00",
}
REPLAY = {
    "id": "0f3a9c5e7b1d2846",
    "recording": None,
    "products": ["NIFTY"],
    "state": "playing",
    "pending": False,
    "speed": 60.0,
    "paused": False,
    "position_ts": 1795000012000,
    "position_time": "2026-11-18T12:26:52.000+00:00",
    "first_ts": None,
    "last_ts": 1795003600000,
    "messages": 412,
    "detail": None,
    "created_ts": 1795360165000,
    "created_time": "2026-11-22T15:09:25.000+00:00",
    "channel_prefix": "replay:0f3a9c5e7b1d2846:",
    "channels": ["replay:0f3a9c5e7b1d2846:chain:NIFTY:2026-11-24", "replay:0f3a9c5e7b1d2846:ticks:NIFTY"],
}
BY_HAND = {
    "replay-body": {
        "recording": None,
        "products": ["NIFTY"],
        "from": "2026-11-18T12:26:40Z",
        "to": "2026-11-18T13:26:40Z",
        "speed": 60.0,
        "paused": False,
    },
    "replay-change": {"paused": True, "position": "2026-11-18T13:00:00Z"},
    "replay": REPLAY,
    "replays": {"sessions": [REPLAY]},
    "replay-recordings": {
        "recordings": [
            {"name": "monday.rec", "kind": "recording", "first_ts": 1795000000000, "last_ts": 1795003600000},
            {"name": "captures", "kind": "capture", "first_ts": None, "last_ts": None},
        ]
    },
    "alert-body": {name: ALERT[name] for name in ("product", "expiry", "metric", "op", "threshold", "once", "note")},
    "alert": ALERT,
    "alerts": {"alerts": [ALERT]},
    "alert-events": {
        "alert": ALERT["id"],
        "events": [
            {
                "snapshot": "NIFTY|2026-11-24|1795000012000",
                "expiry": "2026-11-24",
                "value": 0.2013,
                "source_ts": 1795000012000,
                "source_time": "2026-11-18T12:26:52.000+00:00",
            }
        ],
    },
}
TYPES = {name: kind for name, (_, _, kind) in QUESTIONS.items()} | {
    "alert": alert_routes.AlertAnswer,
    "alerts": alert_routes.AlertsAnswer,
    "alert-events": alert_routes.AlertEventsAnswer,
    "replay": replay_routes.ReplayAnswer,
    "replays": replay_routes.ReplaysAnswer,
    "replay-recordings": replay_routes.RecordingsAnswer,
}


def shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value[:KEPT]]
    return value


def test_examples_look_like_what_is_answered(get, market):
    atm = f"{market.last(market.nearest).chain.atm_strike:g}"
    made = {
        name: shortened(get(path, **{key: str(value).format(atm=atm) for key, value in query.items()}))
        for name, (path, query, _) in QUESTIONS.items()
    }
    if WRITE in os.environ:
        FILE.write_bytes(msgspec.json.format(msgspec.json.encode({**made, **BY_HAND}), indent=1) + b"\n")
        return
    for name, answer in made.items():
        assert answer.keys() == example(name).keys(), name
    for name, body in BY_HAND.items():
        assert example(name) == body


@pytest.mark.parametrize("name", TYPES)
def test_every_route_has_an_example_of_its_answer(name):
    assert msgspec.convert(example(name), TYPES[name], strict=True) is not None
    assert msgspec.to_builtins(msgspec.convert(example(name), TYPES[name])) == example(name)
