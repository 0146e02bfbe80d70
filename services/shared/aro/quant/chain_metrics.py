"""The metrics of a chain that need more than its sums: smile, gamma exposure, changes of open interest, parity.

Everything is per chain of a batch, on matrices with one row per chain (`aro.quant.batch`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aro.quant.arrays import FloatArray
from aro.quant.exposure import exposure, gamma_flip, strike_of_most
from aro.quant.open_interest import buildup, buildup_shares, put_call_change_ratio
from aro.quant.parity import parity_residuals, typical_residual
from aro.quant.skew import skew, smile_weights
from aro.quant.svi_fit import SliceFits, fit_slices

if TYPE_CHECKING:
    from aro.quant.batch import ChainBatch, Columns, SideResult

SMILE_STEPS: Final = 14
"""Every snapshot has its own fit, from cold: the surface, which is fitted seldom and from warm, takes more."""
Pad = Callable[[FloatArray], FloatArray]
"""Flat (contracts,) to (chains, n), NaN at the end of the shorter rows."""


class MarketMetrics(NamedTuple):
    """(chains,) each, (chains, 5) where said; NaN is "not computable"."""

    rr25: FloatArray
    """`aro.quant.skew`, on this chain's own SVI fit"""
    bf25: FloatArray
    skew_25d_norm: FloatArray
    smile_rmse: FloatArray
    """Of that fit, annual decimal"""
    smile_g_min: FloatArray
    """Below zero the fitted smile has butterfly arbitrage."""
    gex_net: FloatArray
    """`aro.quant.exposure`, sign model ``naive``; ``all_short`` is minus the density"""
    gex_flip: FloatArray
    gamma_density: FloatArray
    call_wall: FloatArray
    put_wall: FloatArray
    call_oi_wall: FloatArray
    """Strike of the most open calls."""
    put_oi_wall: FloatArray
    pcr_oi_change: FloatArray
    call_open_interest_change: FloatArray
    put_open_interest_change: FloatArray
    call_buildup: FloatArray
    """(chains, 5): shares by `aro.quant.open_interest.NAMES` against the previous close"""
    put_buildup: FloatArray
    parity_residual: FloatArray
    """Median |C - P - D(F - K)| over strikes quoted on both sides, points."""


class Smile(NamedTuple):
    """Out-of-the-money volatilities of each chain as points of a fit, (chains, n)."""

    k: FloatArray
    iv: FloatArray
    weight: FloatArray


def market_metrics(
    batch: "ChainBatch", pad: Pad, K: FloatArray, forward: FloatArray, calls: "SideResult", puts: "SideResult"
) -> MarketMetrics:
    """Call it under `numpy.errstate` that ignores all. `K` (chains, n), `forward` (chains,)."""
    points = smile(K, forward, pad, calls, puts)
    fits: SliceFits = fit_slices(*points, batch.years, steps=SMILE_STEPS)
    wings = skew(fits.svi, batch.years)
    call_oi, put_oi = pad(batch.calls.open_interest), pad(batch.puts.open_interest)
    gamma = exposure(K, pad(calls.gamma), pad(puts.gamma), call_oi, put_oi, forward, batch.contract_size)
    flip = gamma_flip(
        batch.offsets,
        batch.strikes,
        calls.iv,
        puts.iv,
        batch.calls.open_interest,
        batch.puts.open_interest,
        batch.spot,
        forward,
        batch.years,
    )
    changes = pad(batch.puts.open_interest_change), pad(batch.calls.open_interest_change)
    changed = put_call_change_ratio(*changes)
    residuals = parity_residuals(K, pad(calls.mid), pad(puts.mid), forward, np.exp(-batch.rate * batch.years))
    return MarketMetrics(
        rr25=wings.rr25,
        bf25=wings.bf25,
        skew_25d_norm=wings.norm,
        smile_rmse=fits.rmse,
        smile_g_min=fits.g_min,
        gex_net=gamma.net,
        gex_flip=flip,
        gamma_density=gamma.density,
        call_wall=gamma.call_wall,
        put_wall=gamma.put_wall,
        call_oi_wall=strike_of_most(K, call_oi),
        put_oi_wall=strike_of_most(K, put_oi),
        pcr_oi_change=changed.ratio,
        call_open_interest_change=changed.calls,
        put_open_interest_change=changed.puts,
        call_buildup=_buildup(batch.calls, pad, batch.tick_size),
        put_buildup=_buildup(batch.puts, pad, batch.tick_size),
        parity_residual=typical_residual(residuals),
    )


def smile(K: FloatArray, forward: FloatArray, pad: Pad, calls: "SideResult", puts: "SideResult") -> Smile:
    """Puts below the forward, calls from it on."""
    is_call = forward[:, None] <= K

    def chosen(name: str) -> FloatArray:
        return np.where(is_call, pad(getattr(calls, name)), pad(getattr(puts, name)))

    iv = chosen("iv")
    weight = smile_weights(iv, chosen("bid_iv"), chosen("ask_iv"), chosen("vega"), chosen("delta"))
    return Smile(np.log(K / forward[:, None]), iv, weight)


def _buildup(side: "Columns", pad: Pad, tick_size: FloatArray) -> FloatArray:
    interest, change = pad(side.open_interest), pad(side.open_interest_change)
    classes = buildup(pad(side.ltp), pad(side.prev_close), interest, interest - change, tick_size[:, None])
    return buildup_shares(classes, change)
