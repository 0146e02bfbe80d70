"""Other clocks than ACT/365: business days over 252, and time weighted by how much variance it brings.

Both are piecewise linear in wall time, so a calendar becomes one table of cumulated time, and the years between two
instants are a difference of two interpolations. A calendar is its sessions' opens and closes in UTC epoch
milliseconds, from `aro.contracts.calendars`; before the first open and past the last close nothing is known.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray
from aro.quant.expiry import MS_PER_SECOND, SECONDS_PER_YEAR

BUSINESS_DAYS_PER_YEAR: Final = 252.0
MS_PER_DAY: Final = 86_400_000


class Weights(NamedTuple):
    """Variance per second, relative to each other."""

    session: float
    overnight: float
    weekend: float
    """Between sessions that have at least one whole day between them, holidays included."""


EQUITY_INDEX: Final = Weights(session=1.0, overnight=0.12, weekend=0.06)
"""About 70 % of a year's variance in its sessions (SpiderRock's figure) for sessions of six and a quarter hours."""


@dataclass(frozen=True, slots=True)
class TradingTime:
    """Build one with `business_time` or `variance_time`."""

    instants: FloatArray
    """Opens and closes alternating, epoch milliseconds."""
    elapsed: FloatArray
    """Years since the first open."""

    def years(self, now_ms: ArrayLike, expiry_ms: ArrayLike) -> FloatArray:
        """From now to expiry, 0 at and after it; NaN where the calendar does not reach. Arguments broadcast."""
        now, expiry = np.broadcast_arrays(np.asarray(now_ms, dtype=np.float64), np.asarray(expiry_ms, dtype=np.float64))
        start, end = (np.interp(t, self.instants, self.elapsed, left=np.nan, right=np.nan) for t in (now, expiry))
        return np.where(expiry > now, end - start, 0.0)


def business_time(opens_ms: ArrayLike, closes_ms: ArrayLike) -> TradingTime:
    """Every session is 1/252 year, spread evenly over its hours; nothing passes between sessions."""
    instants = _instants(opens_ms, closes_ms)
    steps = np.zeros(len(instants))
    steps[1::2] = 1.0 / BUSINESS_DAYS_PER_YEAR
    return TradingTime(instants, np.cumsum(steps))


def variance_time(opens_ms: ArrayLike, closes_ms: ArrayLike, weights: Weights = EQUITY_INDEX) -> TradingTime:
    """Time that runs faster while the market trades.

    It is scaled so that over the whole calendar as many years pass as by ACT/365; give it a year at least, or the
    scale is that of a few weeks.
    """
    instants = _instants(opens_ms, closes_ms)
    gaps = np.diff(instants)
    rate = np.full(len(gaps), weights.session)
    rate[1::2] = np.where(gaps[1::2] >= MS_PER_DAY, weights.weekend, weights.overnight)
    passed = np.append(0.0, np.cumsum(rate * gaps))
    calendar_years = (instants[-1] - instants[0]) / (SECONDS_PER_YEAR * MS_PER_SECOND)
    return TradingTime(instants, passed * (calendar_years / passed[-1]))


def _instants(opens_ms: ArrayLike, closes_ms: ArrayLike) -> FloatArray:
    """Raises ValueError unless sessions are in order and apart."""
    opens, closes = np.asarray(opens_ms, dtype=np.float64), np.asarray(closes_ms, dtype=np.float64)
    if opens.ndim != 1 or opens.shape != closes.shape or opens.size == 0:
        raise ValueError("a calendar is at least one session, each with an open and a close")
    instants = np.stack([opens, closes], axis=-1).ravel()
    if not bool((np.diff(instants) > 0.0).all()):
        raise ValueError("sessions must rise and not touch")
    return instants
