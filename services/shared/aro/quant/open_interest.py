"""What changes of open interest say: ratios, walls, and the four classes of build-up.

                 OI up             OI down
    price up     long_buildup      short_covering
    price down   short_buildup     long_unwinding

The price is the contract's own. Its change and that of OI are counted against one basis, ``prev_close`` (the
exchanges' convention) or a ``window`` such as 15 minutes; the caller says which by what it passes. A move of less than
a tick, or of less than 0.5 % of OI, is noise and ``neutral``.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aro.quant.arrays import FloatArray
from aro.quant.ratios import total

OI_DEAD_BAND: Final = 0.005
"""Of the open interest at the basis."""
TICK_ROUNDING: Final = 1e-9
"""Relative: a change of exactly one tick is a move, also where 0.05 is not exact."""

BuildupBasis = Literal["prev_close", "window"]
BuildupName = Literal["neutral", "long_buildup", "short_buildup", "short_covering", "long_unwinding"]


class Buildup(IntEnum):
    """`UNKNOWN` where a price or an open interest is missing."""

    UNKNOWN = -1
    NEUTRAL = 0
    LONG_BUILDUP = 1
    SHORT_BUILDUP = 2
    SHORT_COVERING = 3
    LONG_UNWINDING = 4


NAMES: Final[tuple[BuildupName, ...]] = (
    "neutral",
    "long_buildup",
    "short_buildup",
    "short_covering",
    "long_unwinding",
)


class ChangeRatio(NamedTuple):
    """(...): sums over the last axis, and their ratio."""

    ratio: FloatArray
    """ΣΔOI of puts over that of calls; NaN unless both are > 0, because of two signs no ratio tells which is which."""
    puts: FloatArray
    calls: FloatArray


def put_call_change_ratio(puts: ArrayLike, calls: ArrayLike) -> ChangeRatio:
    """Of open-interest changes (..., n); NaN counts as nothing."""
    put_sum, call_sum = total(puts), total(calls)
    with np.errstate(all="ignore"):
        ratio = np.where((put_sum > 0.0) & (call_sum > 0.0), put_sum / call_sum, np.nan)
    return ChangeRatio(ratio, put_sum, call_sum)


def buildup(
    price: ArrayLike,
    price_before: ArrayLike,
    open_interest: ArrayLike,
    open_interest_before: ArrayLike,
    tick_size: ArrayLike,
) -> NDArray[np.int8]:
    """Codes of `Buildup`; all arguments broadcast, NaN is not known.

    ``prev_close``: `price_before` is the previous close and `open_interest_before` is OI less its change of the day.
    ``window``: both are what they were when the window began.
    """
    now, before, oi, oi_before, tick = (
        np.asarray(x, dtype=np.float64) for x in (price, price_before, open_interest, open_interest_before, tick_size)
    )
    with np.errstate(all="ignore"):
        moved, added = now - before, oi - oi_before
        known = np.isfinite(moved + added) & (tick > 0.0)
        still = (np.abs(moved) < tick * (1.0 - TICK_ROUNDING)) | (np.abs(added) < OI_DEAD_BAND * oi_before)
        still = still | (moved == 0.0) | (added == 0.0)
        opened = np.where(moved > 0.0, Buildup.LONG_BUILDUP, Buildup.SHORT_BUILDUP)
        closed = np.where(moved > 0.0, Buildup.SHORT_COVERING, Buildup.LONG_UNWINDING)
        classes = np.where(still, Buildup.NEUTRAL, np.where(added > 0.0, opened, closed))
        return np.where(known, classes, Buildup.UNKNOWN).astype(np.int8)


def delta_adjusted(price_change: ArrayLike, delta: ArrayLike, underlying_change: ArrayLike) -> FloatArray:
    """Premium change less Δ·ΔS: what the premium did beyond following the underlying. All broadcast."""
    change, d, moved = (np.asarray(x, dtype=np.float64) for x in (price_change, delta, underlying_change))
    with np.errstate(all="ignore"):
        result: FloatArray = change - d * moved
        return result


def buildup_shares(classes: ArrayLike, open_interest_change: ArrayLike) -> FloatArray:
    """(..., 5): the share of each class, in the order of `NAMES`, in Σ|ΔOI| over the last axis; NaN if that is 0."""
    codes, change = np.asarray(classes), np.abs(np.asarray(open_interest_change, dtype=np.float64))
    weight = np.where((codes >= 0) & np.isfinite(change), change, 0.0)
    amounts = np.stack([np.where(codes == code, weight, 0.0).sum(axis=-1) for code in range(len(NAMES))], axis=-1)
    with np.errstate(all="ignore"):
        whole = amounts.sum(axis=-1, keepdims=True)
        return np.where(whole > 0.0, amounts / whole, np.nan)


def buildup_names(codes: Iterable[int]) -> list[BuildupName | None]:
    """The words for `Buildup` codes; None for UNKNOWN."""
    return [None if code < 0 else NAMES[code] for code in codes]
