"""Samples with fixed numbers: seed and instant make them, so they come out again, whoever asks."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

OUTPUTS = Path(__file__).resolve().parents[2] / "examples" / "outputs"
sys.path.insert(0, str(OUTPUTS))
import market  # noqa: E402
import shape  # noqa: E402


def nearly(first: Any, second: Any) -> bool:
    """The same but for the last digits of a fit, which are the machine's."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(nearly(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(nearly, first, second))
    if isinstance(first, float) and isinstance(second, (int, float)):
        return math.isclose(first, second, rel_tol=1e-5, abs_tol=1e-5)
    return bool(first == second)


def test_samples_with_fixed_numbers_come_out_again() -> None:
    made = market.samples()
    for name, value in made.items():
        if name.endswith(".csv"):
            assert value == (OUTPUTS / name).read_bytes().decode(), name
        else:
            assert nearly(value, json.loads((OUTPUTS / name).read_text(encoding="utf-8"))), name
            assert list(shape.wrong_units(value)) == [], name


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"iv": 0.13, "at": "2026-12-28T04:31:59.000+00:00", "rows": [{"a": 1}]}, 0),
        ({"iv": None, "at": "2026-12-28T04:31:59.000+00:00", "rows": []}, 0),
        ({"iv": "0.13", "at": "yesterday", "rows": [{"b": 1}]}, 4),
    ],
)
def test_a_shape_is_keys_and_kinds(answer: dict[str, Any], said: int) -> None:
    expected = {"iv": 0.12, "at": "2026-12-28T04:30:00.000+00:00", "rows": [{"a": 2}, {"a": 3}]}
    assert len(list(shape.differences(expected, answer))) == said


def test_units_are_those_that_names_promise() -> None:
    assert list(shape.wrong_units({"iv": [0.13, None], "delta": -0.4, "source_ts": market.START_MS})) == []
    wrong = {"calls": {"iv": [0.13, 13.0]}, "delta": 40, "source_ts": market.START_MS // 1000}
    assert len(list(shape.wrong_units(wrong))) == 3
