"""Where a surface, or the quotes themselves, could be arbitraged.

Fitted curves are examined on a grid; each interval where a condition fails is one violation, told by its worst point.
Quotes are examined at bid and ask, so what is found there could be traded at that moment.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np

from aro.quant.arrays import BoolArray, FloatArray
from aro.quant.svi import Shape, Svi, call_slope, durrleman, durrleman_of, lee_violated, shape, total_variance

GRID: Final = 301
FINE: Final = 121
FINE_REACH: Final = 8.0
"""Besides the even grid, each curve is looked at within so many of its own √w, where its bends are."""
BETWEEN: Final = (0.25, 0.5, 0.75)
"""Between two expiries the interpolated curve is examined at these shares of the way."""
ROUNDING: Final = 1e-9

ViolationKind = Literal["butterfly", "calendar", "vertical"]


class Violation(NamedTuple):
    kind: ViolationKind
    expiry: int
    """Index of the expiry; of the nearer one for a calendar violation."""
    k: float
    """ln(K/F) of the worst point."""
    depth: float
    """> 0. Of fitted curves: -g for a butterfly, missing total variance for a calendar. Of quotes: points of profit
    per unit, and for a calendar the missing total variance."""
    quoted: bool
    """Within the quotes of the expiries that it is about; False is in the extrapolated wings of one."""
    tradable: bool
    """Seen in bids and asks, not only in the fitted curve."""


def grid(svi: Svi, k_low: float, k_high: float) -> FloatArray:
    """(GRID + slices·FINE,): rising k over [k_low, k_high], dense where the curves bend."""
    root = np.sqrt(np.maximum(total_variance(np.zeros((len(svi.m), 1)), svi), 0.0))
    fine = np.linspace(-FINE_REACH, FINE_REACH, FINE) * root
    bends = np.stack([svi.m - svi.sigma, svi.m, svi.m + svi.sigma])
    points = np.concatenate([np.linspace(k_low, k_high, GRID), fine.ravel(), bends.ravel()])
    return np.unique(np.clip(points, k_low, k_high))


def butterfly_violations(svi: Svi, k: FloatArray, k_low: FloatArray, k_high: FloatArray) -> list[Violation]:
    """Where g < 0 in the curves of `svi` (slices,), quoted from `k_low` to `k_high` (slices,).

    A wing steeper than Lee's bound is one at the end of the grid.
    """
    g = durrleman(np.broadcast_to(k, (len(svi.m), len(k))), svi)
    found = _seen("butterfly", k, -g, k_low, k_high)
    for i, excess in enumerate(lee_violated(svi)):
        if excess > 0.0:
            end = float(k[0] if svi.rho[i] < 0.0 else k[-1])
            found.append(Violation("butterfly", i, end, float(excess), quoted=False, tradable=False))
    return found


def calendar_violations(svi: Svi, k: FloatArray, k_low: FloatArray, k_high: FloatArray) -> list[Violation]:
    """Where a later curve lies below the one before it; slices by rising time, quoted from `k_low` to `k_high`."""
    w = total_variance(np.broadcast_to(k, (len(svi.m), len(k))), svi)
    low, high = np.maximum(k_low[:-1], k_low[1:]), np.minimum(k_high[:-1], k_high[1:])
    return _seen("calendar", k, w[:-1] - w[1:], low, high)


def interpolation_is_sound(svi: Svi, k: FloatArray) -> bool:
    """Whether the curves between neighbouring slices, linear in total variance, have no butterfly either."""
    at = shape(np.broadcast_to(k, (len(svi.m), len(k))), svi)
    for share in BETWEEN:
        mixed = Shape(*((1.0 - share) * column[:-1] + share * column[1:] for column in at))
        if not has_no_butterfly(k, mixed):
            return False
    return True


def has_no_butterfly(k: FloatArray, at: Shape) -> bool:
    """Whether prices over the grid are convex (g >= 0) and, at its ends, calls fall and puts rise with the strike.

    Without the ends a curve that is cut off before its g turns negative would pass.
    """
    first, last = (Shape(*(column[..., end] for column in at)) for end in (0, -1))
    return bool(
        (durrleman_of(k, at) >= 0.0).all()
        and (call_slope(k[-1], last) <= 0.0).all()
        and (call_slope(k[0], first) >= -1.0).all()
    )


def is_sound(svi: Svi, k: FloatArray) -> bool:
    """No violation on the grid, in the slices or between them."""
    at = shape(np.broadcast_to(k, (len(svi.m), len(k))), svi)
    return bool(
        has_no_butterfly(k, at)
        and (np.diff(at.w, axis=0) >= 0.0).all()
        and (lee_violated(svi) <= 0.0).all()
        and interpolation_is_sound(svi, k)
    )


# --- quotes --------------------------------------------------------------------------------


def quoted_violations(
    expiry: int,
    strikes: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    *,
    is_call: bool,
    forward: float,
    discount: float,
) -> list[Violation]:
    """Butterflies and verticals that bids and asks of one side of one expiry pay for; (n,) each, NaN is no quote."""
    there = np.isfinite(strikes + bid + ask) & (bid > 0.0) & (bid <= ask)
    K, low, high = strikes[there], bid[there], ask[there]
    return [
        Violation(kind, expiry, float(np.log(at / forward)), float(profit), quoted=True, tradable=True)
        for kind, at, profit in (*_butterflies(K, low, high), *_verticals(K, low, high, discount, is_call=is_call))
    ]


def quoted_calendars(
    expiry: int, near_k: FloatArray, near_bid_w: FloatArray, far_k: FloatArray, far_ask_w: FloatArray
) -> list[Violation]:
    """Where the bid of the nearer expiry has more total variance than the ask of the farther one at the same ln(K/F).

    The farther ask is linear in k between its quotes; beyond them nothing is compared.
    """
    near, far = np.isfinite(near_k + near_bid_w), np.isfinite(far_k + far_ask_w)
    if not near.any() or not far.any():
        return []
    k, w, K = near_k[near], near_bid_w[near], far_k[far]
    missing = w - np.interp(k, K, far_ask_w[far])
    missing = np.where((k >= K[0]) & (k <= K[-1]), missing, -1.0)
    return [
        Violation("calendar", expiry, float(k[j]), float(missing[j]), quoted=True, tradable=True)
        for j in _worst(missing)
    ]


Found = Iterator[tuple[ViolationKind, float, float]]


def _butterflies(K: FloatArray, bid: FloatArray, ask: FloatArray) -> Found:
    """Buy both wings, sell the body."""
    if len(K) < 3:
        return
    share = (K[2:] - K[1:-1]) / (K[2:] - K[:-2])
    profit = bid[1:-1] - share * ask[:-2] - (1.0 - share) * ask[2:]
    for j in np.flatnonzero(profit > ROUNDING * K[1:-1]):
        yield "butterfly", K[j + 1], profit[j]


def _verticals(K: FloatArray, bid: FloatArray, ask: FloatArray, discount: float, *, is_call: bool) -> Found:
    """Between neighbours the dearer option can be bought for less, or sold for more than it can ever cost."""
    width = discount * np.diff(K)
    dear, cheap = (slice(None, -1), slice(1, None)) if is_call else (slice(1, None), slice(None, -1))
    for profit in (bid[cheap] - ask[dear], bid[dear] - ask[cheap] - width):
        for j in np.flatnonzero(profit > ROUNDING * K[:-1]):
            yield "vertical", K[j], profit[j]


def _seen(
    kind: ViolationKind, k: FloatArray, depth: FloatArray, k_low: FloatArray, k_high: FloatArray
) -> list[Violation]:
    """The worst points of each row of `depth`, within its quotes and beyond them."""
    found = []
    for i, row in enumerate(depth):
        within = (k >= k_low[i]) & (k <= k_high[i])
        for quoted, part in ((True, np.where(within, row, 0.0)), (False, np.where(within, 0.0, row))):
            found += [Violation(kind, i, float(k[j]), float(row[j]), quoted, tradable=False) for j in _worst(part)]
    return found


def _worst(excess: FloatArray) -> list[int]:
    """The index of the greatest value in each run of values above zero; NaN counts as zero."""
    over: BoolArray = np.nan_to_num(excess, nan=0.0) > 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], over, [False]]).astype(np.int8)))
    return [int(start + np.argmax(excess[start:end])) for start, end in edges.reshape(-1, 2)]
