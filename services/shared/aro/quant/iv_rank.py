"""Where today's volatility stands among those of the last year.

    rank = 100·(IV - min)/(max - min)        percentile = 100·#{IV_i < IV}/N

over daily closes of the constant-maturity 30-day at-the-money volatility.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

DAYS: Final = 252
"""Trading days looked back over."""
LEAST_OBSERVATIONS: Final = 20
"""With fewer, neither number means anything."""


class IvRank(NamedTuple):
    rank: float
    """0 to 100, beyond them if today is a new extreme; NaN below `LEAST_OBSERVATIONS` or if history is constant."""
    percentile: float
    n_obs: int
    """Finite closes that were counted."""


def iv_rank(current: float, history: ArrayLike, *, least: int = LEAST_OBSERVATIONS) -> IvRank:
    """`history` (days,), oldest first, today excluded; the last `DAYS` of it count, NaN does not."""
    closes = np.asarray(history, dtype=np.float64)[-DAYS:]
    closes = closes[np.isfinite(closes)]
    n = int(closes.size)
    if n < max(least, 1) or not np.isfinite(current):
        return IvRank(np.nan, np.nan, n)
    low, high = float(closes.min()), float(closes.max())
    rank = 100.0 * (current - low) / (high - low) if high > low else np.nan
    return IvRank(rank, float(100.0 * np.count_nonzero(closes < current) / n), n)
