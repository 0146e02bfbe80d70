"""Time to expiry: the one function that feed, worker and analytics all count with."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray

MS_PER_SECOND: Final = 1_000
SECONDS_PER_YEAR: Final = 365 * 86_400
"""ACT/365: calendar time, no leap years."""
FLOOR_SECONDS: Final = 60
"""The last minute counts as a whole one, so that σ√T, and with it every Greek, stays finite until expiry."""


def years_to_expiry(now_ms: ArrayLike, expiry_ms: ArrayLike) -> FloatArray:
    """ACT/365 years, exactly 0.0 at and after the expiry instant; arguments broadcast.

    Parameters
    ----------
    now_ms, expiry_ms : int
        UTC epoch milliseconds.
    """
    remaining = np.asarray(expiry_ms, dtype=np.int64) - np.asarray(now_ms, dtype=np.int64)
    floored = np.maximum(remaining, FLOOR_SECONDS * MS_PER_SECOND)
    return np.where(remaining > 0, floored / (SECONDS_PER_YEAR * MS_PER_SECOND), 0.0)
