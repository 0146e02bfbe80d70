"""Put-call ratios of a chain. The last axis is the strike; NaN is "not known" and counts as nothing."""

import numpy as np
from numpy.typing import ArrayLike

from aro.quant.arrays import FloatArray


def total(column: ArrayLike) -> FloatArray:
    """Sum over the last axis of what is finite; 0 if nothing is."""
    values = np.asarray(column, dtype=np.float64)
    with np.errstate(all="ignore"):
        result: FloatArray = np.where(np.isfinite(values), values, 0.0).sum(axis=-1)
    return result


def put_call_ratio(puts: ArrayLike, calls: ArrayLike) -> FloatArray:
    """ΣP / ΣC over the last axis, for open interest or volume; NaN unless ΣC > 0."""
    return _ratio(total(puts), total(calls))


def put_call_value_ratio(
    put_amount: ArrayLike, put_price: ArrayLike, call_amount: ArrayLike, call_price: ArrayLike
) -> FloatArray:
    """Premium-weighted: Σ amount·price of puts over that of calls; NaN unless the latter is > 0.

    A contract enters if its amount and its price are both known.
    """
    with np.errstate(all="ignore"):
        puts = np.asarray(put_amount, dtype=np.float64) * np.asarray(put_price, dtype=np.float64)
        calls = np.asarray(call_amount, dtype=np.float64) * np.asarray(call_price, dtype=np.float64)
        return _ratio(total(puts), total(calls))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        ratio = numerator / denominator
        return np.where((denominator > 0.0) & np.isfinite(ratio), ratio, np.nan)
