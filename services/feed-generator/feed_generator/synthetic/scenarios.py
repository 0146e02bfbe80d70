"""What happens to a synthetic market, by name: paths that are added to its random walk.

All are bounded, so that a feed may run for days in any of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0

_TREND_HALF_PERIOD: Final = 4 * _HOUR
_TREND_GAIN: Final = 0.03
_CRASH_START: Final = 1 * _MINUTE
_CRASH_DURATION: Final = 10 * _MINUTE
_CRASH_FALL: Final = -0.07
_CRASH_RECOVERY: Final = 0.35
"""Share of the fall that is won back in the hours after it."""
_CRASH_VOL: Final = 0.9
"""In logarithm: volatility grows 2.5 times."""
_CRASH_CALMS_IN: Final = 1.5 * _HOUR
EXPIRY_DAY_SECONDS: Final = 30 * _MINUTE

Path = Callable[[float], float]
"""Seconds since the start to a logarithm; 0 is the unchanged market."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`spot` and `volatility` shift the logarithms of both; `expires_in` seconds after the start a contract
    that is listed for this scenario expires."""

    name: str
    spot: Path
    volatility: Path
    expires_in: float | None = None


def _flat(_seconds: float) -> float:
    return 0.0


def _triangle(seconds: float) -> float:
    """0 → 1 → 0 with half-period `_TREND_HALF_PERIOD`, for ever."""
    phase = seconds / _TREND_HALF_PERIOD % 2.0
    return min(phase, 2.0 - phase)


def _crash(seconds: float) -> float:
    """0 before, rising smoothly to 1 while the market falls, 1 after."""
    x = min(max((seconds - _CRASH_START) / _CRASH_DURATION, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def _calmed(seconds: float) -> float:
    """0 until the crash is over, then towards 1."""
    return -math.expm1(-max(seconds - _CRASH_START - _CRASH_DURATION, 0.0) / _CRASH_CALMS_IN)


SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "calm": Scenario("calm", _flat, _flat),
        "trend": Scenario(
            "trend",
            lambda t: _TREND_GAIN * _triangle(t),
            lambda t: -0.25 * _triangle(t),
        ),
        "crash": Scenario(
            "crash",
            lambda t: _CRASH_FALL * _crash(t) * (1.0 - _CRASH_RECOVERY * _calmed(t)),
            lambda t: _CRASH_VOL * _crash(t) * (1.0 - 0.8 * _calmed(t)),
        ),
        "expiry-day": Scenario("expiry-day", _flat, lambda _t: 0.1, expires_in=EXPIRY_DAY_SECONDS),
    }
)
