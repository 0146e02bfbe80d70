"""Gamma exposure: how much delta dealers must trade when the underlying moves by 1 %.

    gex_i = sign_i · Γ_i · OI_i · m · S² · 0.01            in quote currency

Γ is the second derivative in the spot, Γ_S = Γ_F·(F/S)², so Γ_S·S² = Γ_F·F² with the forward gamma of
`aro.quant.black`. OI is in contracts and m the contract size; OI in units would count m twice.

Who holds what is an assumption, not data. ``naive``: dealers are long calls (+1) and short puts (-1), the usual one
in the US. ``all_short``: dealers, or whoever hedges, are short both, nearer to India, where writers sell either side.
The density has no sign and assumes nothing.
"""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from aro.quant import kernel
from aro.quant.arrays import FloatArray, IntArray

SignModel = Literal["naive", "all_short"]
SIGNS: Final[dict[SignModel, tuple[float, float]]] = {"naive": (1.0, -1.0), "all_short": (-1.0, -1.0)}
"""Of calls and of puts."""
ONE_PERCENT: Final = 0.01
REACH: Final = 0.08
NODES: Final = 33
"""Spots from -8 % to +8 %, 0.5 % apart; between two of them total gamma is nearly linear."""
NODE_FACTORS: Final[FloatArray] = np.linspace(1.0 - REACH, 1.0 + REACH, NODES)
"""Of the spot."""
NODE_SHIFTS: Final[FloatArray] = np.log(NODE_FACTORS)
INV_SQRT_2_PI: Final = 0.3989422804014327


class Exposure(NamedTuple):
    """Per chain (...), and per strike (..., n) where said; NaN where nothing is known."""

    net: FloatArray
    """Σ gex_i, currency per 1 %."""
    density: FloatArray
    """Σ |gex_i|"""
    call_wall: FloatArray
    """Strike of the greatest |gex| of calls."""
    put_wall: FloatArray
    by_strike: FloatArray
    """(..., n): calls and puts of each strike together, 0 where neither is known"""


def exposure(
    strikes: ArrayLike,
    call_gamma: ArrayLike,
    put_gamma: ArrayLike,
    call_open_interest: ArrayLike,
    put_open_interest: ArrayLike,
    forward: ArrayLike,
    contract_size: ArrayLike,
    sign_model: SignModel = "naive",
) -> Exposure:
    """`strikes` (..., n), NaN for padding; gamma with respect to the forward; `forward`, `contract_size` (...)."""
    K = np.asarray(strikes, dtype=np.float64)
    F, size = (np.asarray(x, dtype=np.float64)[..., None] for x in (forward, contract_size))
    with np.errstate(all="ignore"):
        scale = F * F * size * ONE_PERCENT
        calls, puts = (
            np.asarray(gamma, dtype=np.float64) * np.asarray(interest, dtype=np.float64) * scale
            for gamma, interest in ((call_gamma, call_open_interest), (put_gamma, put_open_interest))
        )
        known = np.isfinite(calls) | np.isfinite(puts)
        calls, puts = (np.where(np.isfinite(side), side, 0.0) for side in (calls, puts))
        of_call, of_put = SIGNS[sign_model]
        net = of_call * calls + of_put * puts
        any_known = known.any(axis=-1)
        return Exposure(
            net=np.where(any_known, net.sum(axis=-1), np.nan),
            density=np.where(any_known, (calls + puts).sum(axis=-1), np.nan),
            call_wall=strike_of_most(K, calls),
            put_wall=strike_of_most(K, puts),
            by_strike=net,
        )


def strike_of_most(strikes: FloatArray, amounts: FloatArray) -> FloatArray:
    """The strike (...) of the greatest amount above zero, the lower one of equals; NaN if there is none."""
    if strikes.shape[-1] == 0:
        return np.full(strikes.shape[:-1], np.nan)
    usable = np.where(np.isfinite(strikes) & (amounts > 0.0), amounts, 0.0)
    best = np.argmax(usable, axis=-1)[..., None]
    found = np.take_along_axis(usable, best, axis=-1)[..., 0] > 0.0
    return np.where(found, np.take_along_axis(strikes, best, axis=-1)[..., 0], np.nan)


def gamma_flip(
    offsets: IntArray,
    strikes: FloatArray,
    call_iv: FloatArray,
    put_iv: FloatArray,
    call_open_interest: FloatArray,
    put_open_interest: FloatArray,
    spot: FloatArray,
    forward: FloatArray,
    years: FloatArray,
) -> FloatArray:
    """The spot (chains,) at which the naive net gamma of the whole chain changes sign, nearest to the spot.

    Every contract is priced again at each spot of the grid, at its own volatility (sticky strike) and with the
    forward moving in proportion; the root between two nodes is linear. NaN if there is none within 8 %. With
    ``all_short`` every term is negative and there is never one.

    Parameters
    ----------
    offsets : (chains + 1,); chain i owns ``offsets[i]:offsets[i + 1]`` of the flat arrays (contracts,) that follow
    spot, forward, years : (chains,)
    """
    if len(offsets) == 1 or strikes.size == 0:
        return np.full(len(offsets) - 1, np.nan)
    with np.errstate(all="ignore"):
        totals = _totals(
            offsets, strikes, call_iv, put_iv, call_open_interest, put_open_interest, forward, years, SIGNS["naive"]
        )
        return np.where(forward > 0.0, spot * nearest_root(NODE_FACTORS, totals), np.nan)


def gamma_profile(
    offsets: IntArray,
    strikes: FloatArray,
    call_iv: FloatArray,
    put_iv: FloatArray,
    call_open_interest: FloatArray,
    put_open_interest: FloatArray,
    forward: FloatArray,
    years: FloatArray,
    discount: FloatArray,
    contract_size: FloatArray,
    sign_model: SignModel = "naive",
) -> FloatArray:
    """(NODES, chains): what `exposure.net` would be at each of `NODE_FACTORS` times the spot, repriced as in
    `gamma_flip`; NaN without a forward. Arguments as there, `discount` and `contract_size` (chains,)."""
    if len(offsets) == 1 or strikes.size == 0:
        return np.full((NODES, len(offsets) - 1), np.nan)
    with np.errstate(all="ignore"):
        totals = _totals(
            offsets, strikes, call_iv, put_iv, call_open_interest, put_open_interest, forward, years, SIGNS[sign_model]
        )
        return np.where(forward > 0.0, totals * (discount * forward * contract_size * ONE_PERCENT), np.nan)


def _totals(
    offsets: IntArray,
    strikes: FloatArray,
    call_iv: FloatArray,
    put_iv: FloatArray,
    call_open_interest: FloatArray,
    put_open_interest: FloatArray,
    forward: FloatArray,
    years: FloatArray,
    signs: tuple[float, float],
) -> FloatArray:
    """(NODES, chains): Σ sign·OI·Γ·F² at each node, in units of D·F(now)."""
    columns = (strikes, call_iv, put_iv, call_open_interest, put_open_interest, forward, years)
    if kernel.compiled is None:
        return _summed(offsets, *columns, signs) * NODE_FACTORS[:, None]
    totals, hard = kernel.compiled.totals(offsets, columns, signs, NODE_SHIFTS)
    if hard.any():
        of_hard = np.repeat(hard, np.diff(offsets))
        calls, puts = (np.where(of_hard, iv, np.nan) for iv in (call_iv, put_iv))
        totals[:, hard] = _summed(offsets, strikes, calls, puts, *columns[3:], signs)[:, hard]
    return totals * NODE_FACTORS[:, None]


def _summed(
    offsets: IntArray,
    strikes: FloatArray,
    call_iv: FloatArray,
    put_iv: FloatArray,
    call_open_interest: FloatArray,
    put_open_interest: FloatArray,
    forward: FloatArray,
    years: FloatArray,
    signs: tuple[float, float],
) -> FloatArray:
    """Before the factor of the node."""
    chains = len(offsets) - 1
    chain = np.repeat(np.arange(chains), np.diff(offsets))
    totals = np.zeros((NODES, chains))
    for iv, interest, sign in ((call_iv, call_open_interest, signs[0]), (put_iv, put_open_interest, signs[1])):
        use = np.flatnonzero((iv > 0.0) & (interest > 0.0) & np.isfinite(forward[chain] + interest))
        of = chain[use]
        s = iv[use] * np.sqrt(years[of])
        # d1 at each node is linear in the log of the node; Γ·F² = D·F·n(d1)/s, and D is one per chain.
        d1 = np.log(forward[of] / strikes[use]) / s + 0.5 * s
        scale = sign * interest[use] * (INV_SQRT_2_PI / s)
        inverse = 1.0 / s
        for node, shift in enumerate(NODE_SHIFTS):
            moved = d1 + shift * inverse
            totals[node] += np.bincount(of, scale * np.exp(-0.5 * moved * moved), chains)
    return totals


def nearest_root(nodes: FloatArray, totals: FloatArray) -> FloatArray:
    """The root of each column (nodes, chains) nearest to 1; NaN without a change of sign."""
    left, right = totals[:-1], totals[1:]
    crosses = (left * right < 0.0) | ((left == 0.0) & (right != 0.0))
    width = (nodes[1:] - nodes[:-1])[:, None]
    roots = np.where(crosses, nodes[:-1, None] + width * left / (left - right), np.nan)
    distance = np.where(crosses, np.abs(roots - 1.0), np.inf)
    best = np.argmin(distance, axis=0)[None]
    nearest: FloatArray = np.take_along_axis(roots, best, axis=0)[0]
    return nearest
