"""Realised volatility of a price series, to set beside the implied one.

All four estimators return an annual decimal over the last axis (time, oldest first). A period with a missing or
non-positive price is left out; where fewer than two are left the result is NaN.

References
----------
.. [1] Parkinson, M. (1980). The extreme value method for estimating the variance of the rate of return. J. Business 53.
.. [2] Garman, M. and Klass, M. (1980). On the estimation of security price volatilities from historical data.
   J. Business 53.
.. [3] Yang, D. and Zhang, Q. (2000). Drift-independent volatility estimation based on high, low, open and close
   prices. J. Business 73.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import BoolArray, FloatArray

PERIODS_PER_YEAR: Final = 252.0
YANG_ZHANG_ALPHA: Final = 1.34
"""[3]_: the weight k of open-to-close variance that is best for most drifts."""


def close_to_close(close: ArrayLike, *, periods_per_year: float = PERIODS_PER_YEAR) -> FloatArray:
    """Sample deviation of log returns between neighbouring closes (..., n)."""
    price = np.asarray(close, dtype=np.float64)
    with np.errstate(all="ignore"):
        returns = np.diff(np.log(np.where(price > 0.0, price, np.nan)), axis=-1)
        return _annual(_variance(returns, np.isfinite(returns)), periods_per_year)


def parkinson(high: ArrayLike, low: ArrayLike, *, periods_per_year: float = PERIODS_PER_YEAR) -> FloatArray:
    """Range-based [1]_; no drift, no overnight moves."""
    with np.errstate(all="ignore"):
        span = _log(high) - _log(low)
        return _annual(_mean(span**2 / (4.0 * np.log(2.0)), np.isfinite(span), least=2), periods_per_year)


def garman_klass(
    open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, periods_per_year: float = PERIODS_PER_YEAR
) -> FloatArray:
    """The practical form ½(ln H/L)² - (2 ln 2 - 1)(ln C/O)² of [2]_; no drift, no overnight moves."""
    with np.errstate(all="ignore"):
        span, body = _log(high) - _log(low), _log(close) - _log(open_)
        terms = 0.5 * span**2 - (2.0 * np.log(2.0) - 1.0) * body**2
        return _annual(_mean(terms, np.isfinite(terms), least=2), periods_per_year)


def yang_zhang(
    open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, *, periods_per_year: float = PERIODS_PER_YEAR
) -> FloatArray:
    """Overnight, open-to-close and Rogers-Satchell variance together [3]_: any drift, overnight moves included.

    The first period only gives the close that the second one's overnight move starts from.
    """
    with np.errstate(all="ignore"):
        o, h, l, c = (_log(x) for x in (open_, high, low, close))  # noqa: E741
        overnight, body = o[..., 1:] - c[..., :-1], (c - o)[..., 1:]
        satchell = ((h - o) * (h - c) + (l - o) * (l - c))[..., 1:]
        known = np.isfinite(overnight + body + satchell)
        n = known.sum(axis=-1)
        k = (YANG_ZHANG_ALPHA - 1.0) / (YANG_ZHANG_ALPHA + (n + 1.0) / (n - 1.0))
        variance = (
            _variance(overnight, known) + k * _variance(body, known) + (1.0 - k) * _mean(satchell, known, least=2)
        )
        return _annual(variance, periods_per_year)


def _log(price: ArrayLike) -> FloatArray:
    values = np.asarray(price, dtype=np.float64)
    return np.log(np.where(values > 0.0, values, np.nan))


def _mean(values: FloatArray, known: BoolArray, *, least: int) -> FloatArray:
    count = known.sum(axis=-1)
    return np.where(count >= least, np.where(known, values, 0.0).sum(axis=-1) / count, np.nan)


def _variance(values: FloatArray, known: BoolArray) -> FloatArray:
    count = known.sum(axis=-1)
    centred = np.where(known, values - _mean(values, known, least=1)[..., None], 0.0)
    return np.where(count >= 2, (centred**2).sum(axis=-1) / (count - 1), np.nan)


def _annual(variance: FloatArray, periods_per_year: float) -> FloatArray:
    sigma: FloatArray = np.sqrt(variance * periods_per_year)
    return sigma
