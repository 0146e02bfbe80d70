"""From model values to quotes on the tick grid.

Bid and ask are rounded outwards from value -/+ half-spread, so the value always lies between them and the mid is
within half a tick of it: what is arbitrage-free in values stays so in mids, but for that rounding.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from aro.contracts.products import Terms
from aro.quant.arrays import BoolArray, FloatArray
from aro.quant.black import price

# Full spread as a share of the out-of-the-money premium, by distance |ln(K/F)| / (σ√T) from the money: at the money
# 0.3 %, at 10 delta (1.28) 2 %, at 2 delta (2.05) 10 %, and 30 % far out.
_DISTANCE: Final = np.array([0.0, 1.28, 2.05, 3.5])
_SPREAD_SHARE: Final = np.array([0.003, 0.02, 0.10, 0.30])
_INTRINSIC_SHARE: Final = 4e-4
"""In-the-money options are as wide as their out-of-the-money twins plus this share of what is intrinsic."""


Rounding: TypeAlias = Callable[[FloatArray], FloatArray]


class Valuation(NamedTuple):
    """Model values of the contracts of one product: expiries x strikes, and calls then puts on `value`'s axis 1."""

    forward: FloatArray
    """One per expiry, as a column."""
    sigma: FloatArray
    """(expiries, strikes)."""
    value: FloatArray
    """Discounted premium, (expiries, 2, strikes)."""
    distance: FloatArray
    """|ln(K/F)| / (σ√T), (expiries, strikes)."""
    spread: FloatArray
    """Full spread before rounding and noise, (expiries, 2, strikes)."""


class Sides(NamedTuple):
    """(expiries, 2, strikes); on the tick grid. Where `has_bid` is False there is no bid and `bid` is 0."""

    bid: FloatArray
    ask: FloatArray
    has_bid: BoolArray


def value(
    forward: FloatArray,
    strikes: FloatArray,
    years: FloatArray,
    total_variance: FloatArray,
    discount: FloatArray,
    spread_scale: float,
) -> Valuation:
    """Calls and puts that obey parity exactly.

    `forward`, `years` and `discount` are columns (expiries, 1); `strikes` is (strikes,) and `total_variance`
    (expiries, strikes), all positive.
    """
    root = np.sqrt(total_variance)
    sigma = root / np.sqrt(years)
    out = price(forward, strikes, years, sigma, discount, strikes > forward)
    intrinsic = discount * (forward - strikes)
    both = np.stack((np.maximum(intrinsic, 0.0), np.maximum(-intrinsic, 0.0)), axis=1)
    distance = np.abs(np.log(strikes / forward)) / root
    share = np.interp(distance, _DISTANCE, _SPREAD_SHARE) * spread_scale
    spread = (share * out)[:, np.newaxis, :] + _INTRINSIC_SHARE * both
    return Valuation(forward, sigma, both + out[:, np.newaxis, :], distance, spread)


def quote(values: FloatArray, spread: FloatArray, terms: Terms) -> Sides:
    """Bid below value below ask, on the grid of `terms`; the ask is at least one tick above the bid."""
    low, high = values - 0.5 * spread, values + 0.5 * spread
    bid = on_grid(low, terms, np.floor)
    ask = on_grid(high, terms, np.ceil)
    bid = np.maximum(bid, 0.0)
    # A value exactly on the grid with no spread would give a locked market.
    ask = np.where(ask > bid, ask, on_grid(bid + grid_step(bid, terms), terms, np.ceil))
    return Sides(bid, ask, bid > 0.0)


def closing(values: FloatArray, terms: Terms) -> FloatArray:
    """`values` as prices of trades: on the grid, and at least one tick."""
    return np.maximum(on_grid(values, terms, np.round), terms.tick_size)


def grid_step(prices: FloatArray, terms: Terms) -> FloatArray:
    """Tick size that applies at each price."""
    if terms.coarse_from is None or terms.coarse_tick is None:
        return np.full_like(prices, terms.tick_size)
    return np.where(prices >= terms.coarse_from, terms.coarse_tick, terms.tick_size)


def on_grid(prices: FloatArray, terms: Terms, rounding: Rounding) -> FloatArray:
    """`prices` on the tick grid, as the doubles nearest to their decimals (0.15, not 0.15000000000000002)."""
    fine = _on(prices, terms.tick_size, rounding)
    if terms.coarse_from is None or terms.coarse_tick is None:
        return fine
    return np.where(prices >= terms.coarse_from, _on(prices, terms.coarse_tick, rounding), fine)


def _on(prices: FloatArray, tick: float, rounding: Rounding) -> FloatArray:
    # Dividing by a whole number of ticks per unit rounds once; multiplying by 0.05 would round twice.
    per_unit = round(1.0 / tick)
    result: FloatArray = rounding(prices * per_unit) / per_unit
    return result
