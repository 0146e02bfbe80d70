"""Whether an answer looks like its sample: the same keys, the same kinds of values, the same units."""

import re
from collections.abc import Iterator
from typing import Any, Final

FREE_KEYS: Final = frozenset({"iv_status_counts", "channels"})
"""Objects whose keys are data."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCH_MS: Final = (1.5e12, 5e12)


def trimmed(value: Any, longest: int = 3) -> Any:
    """`value` with lists cut to their first entries."""
    if isinstance(value, dict):
        return {key: trimmed(part, longest) for key, part in value.items()}
    if isinstance(value, list):
        return [trimmed(part, longest) for part in value[:longest]]
    return value


def differences(sample: Any, answer: Any, path: str = "") -> Iterator[str]:
    """Where they are not of one shape. Null may stand for anything, and an empty list for any list."""
    if sample is None or answer is None:
        return
    if isinstance(sample, dict) and isinstance(answer, dict):
        if path.rpartition(".")[2] not in FREE_KEYS:
            for key in sorted(sample.keys() ^ answer.keys()):
                yield f"{path}.{key} is {'missing' if key in sample else 'new'}"
        for key in sample.keys() & answer.keys():
            yield from differences(sample[key], answer[key], f"{path}.{key}")
    elif isinstance(sample, list) and isinstance(answer, list):
        typical = next((part for part in sample if part is not None), None)
        for part in answer:
            yield from differences(typical, part, f"{path}[]")
    elif kind(sample) != kind(answer):
        yield f"{path} is {kind(answer)}, not {kind(sample)}"


def kind(value: Any) -> str:
    if isinstance(value, str):
        return "a time" if _TIME.fullmatch(value) else "a date" if _DATE.fullmatch(value) else "text"
    if isinstance(value, bool):
        return "a truth value"
    return "a number" if isinstance(value, (int, float)) else type(value).__name__


def wrong_units(value: Any, path: str = "") -> Iterator[str]:
    """Numbers that cannot be in the unit that their name promises."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from wrong_units(part, f"{path}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from wrong_units(part, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = _range(path.rpartition(".")[2])
        if not low <= value <= high:
            yield f"{path} = {value}"


def _range(name: str) -> tuple[float, float]:
    if name.endswith("_ts"):
        return _EPOCH_MS
    if name in ("iv", "bid_iv", "ask_iv", "iv_atm", "iv_30d", "fitted_iv"):
        return (0.0, 5.0)  # annual decimals
    if name == "delta":
        return (-1.0, 1.0)
    return (-1e300, 1e300)
