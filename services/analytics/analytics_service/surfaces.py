"""Pure: what a published surface says anywhere within itself."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import UNSET

from analytics_service.answers import Explanation
from analytics_service.solved import array, column, number
from analytics_service.surface_answers import (
    SurfaceAnswer,
    SurfaceGrid,
    SurfaceRow,
    TermExpiry,
    TermStructureAnswer,
)
from aro.contracts.analytics import SurfaceState, TermPoint
from aro.quant.arrays import FloatArray
from aro.quant.ssvi_fit import PowerLaw
from aro.quant.surface import MATURITIES, Surface
from aro.quant.surface_fit import MARGIN, domain
from aro.quant.svi import Svi, total_variance

Axis = Literal["strike", "moneyness", "delta"]
DELTAS: Final = (
    0.05,
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    0.35,
    0.4,
    0.45,
    0.5,
    0.55,
    0.6,
    0.65,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.95,
)
STRIKE_STEPS: Final = 20
"""Strikes on either side of the money when none were asked for."""
STRIKE_REACH: Final = 0.1


def rebuilt(state: SurfaceState) -> Surface:
    """The surface that `state` was published from."""
    years, forward = (np.array([getattr(item, name) for item in state.slices]) for name in ("dte_years", "forward"))
    svi = Svi(*(np.array([getattr(item, name) for item in state.slices]) for name in Svi._fields))
    theta = total_variance(np.zeros((len(years), 1)), svi)[:, 0]
    low, high = domain(*(np.array([getattr(item, name) for item in state.slices]) for name in ("k_low", "k_high")))
    return Surface(
        model=state.model,
        spot=state.spot,
        years=years,
        forward=forward,
        svi=svi,
        power_law=PowerLaw(state.ssvi_rho, state.ssvi_eta, state.ssvi_gamma, theta),
        k_low=low,
        k_high=high,
    )


def answer(
    state: SurfaceState, axis: Axis | None, points: Sequence[float] | None, strike_step: float, *, explain: bool
) -> SurfaceAnswer:
    """As published; with `axis` a grid at `points` along it, or at usual ones if None. `strike_step` is the listed
    distance of strikes."""
    return SurfaceAnswer(
        **msgspec.structs.asdict(state),
        grid=UNSET if axis is None else _grid(state, axis, points, strike_step),
        explain=surface_explanation(state) if explain else UNSET,
    )


def _grid(state: SurfaceState, axis: Axis, points: Sequence[float] | None, strike_step: float) -> SurfaceGrid:
    surface = rebuilt(state)
    at = array(_usual(state, axis, strike_step) if points is None else points)
    iv = surface.iv(surface.years[:, None], **{axis: at})
    return SurfaceGrid(
        axis=axis,
        points=at.tolist(),
        rows=[
            SurfaceRow(expiry=item.expiry, dte_years=item.dte_years, forward=item.forward, iv=column(row, "iv"))
            for item, row in zip(state.slices, iv, strict=True)
        ],
    )


def term_structure(state: SurfaceState, days: Sequence[float] | None, *, explain: bool) -> TermStructureAnswer:
    surface = rebuilt(state)
    chosen = MATURITIES if days is None else tuple(days)
    sigmas = surface.constant_maturity(chosen)
    return TermStructureAnswer(
        product=state.product,
        source_ts=state.source_ts,
        source_time=state.source_time,
        model=state.model,
        spot=state.spot,
        expiries=[
            TermExpiry(
                expiry=item.expiry,
                expiry_ts=item.expiry_ts,
                dte_years=item.dte_years,
                forward=item.forward,
                iv_atm=item.iv_atm,
                forward_iv=number(forward_iv, "iv"),
                rr25=item.rr25,
                bf25=item.bf25,
            )
            for item, forward_iv in zip(state.slices, _forward_iv(surface), strict=True)
        ],
        constant_maturity=[
            TermPoint(days=float(day), iv=number(sigma, "iv")) for day, sigma in zip(chosen, sigmas, strict=True)
        ],
        explain=surface_explanation(state) if explain else UNSET,
    )


def surface_explanation(state: SurfaceState) -> Explanation:
    """Of anything read off a surface: its slices are what it was fitted to."""
    return Explanation(
        formula="w(k, T) of the fitted slices, linear in T at constant ln(K/F); iv = √(w/T)",
        snapshots=[],
        inputs={
            item.expiry: {
                "source_seq": item.source_seq,
                "forward": item.forward,
                "points": item.points,
                "rmse": item.rmse,
                "k_low": item.k_low,
                "k_high": item.k_high,
            }
            for item in state.slices
        },
        filters={"model": state.model, "beyond_quotes": f"a quarter ({MARGIN}) of the quoted range, then null"},
    )


def _usual(state: SurfaceState, axis: Axis, strike_step: float) -> list[float]:
    if axis == "delta":
        return list(DELTAS)
    if axis == "moneyness":
        return list(state.moneyness)
    step = strike_step * max(1, round(STRIKE_REACH * state.spot / STRIKE_STEPS / strike_step))
    centre = round(state.spot / step) * step
    return [centre + step * i for i in range(-STRIKE_STEPS, STRIKE_STEPS + 1) if centre + step * i > 0.0]


def _forward_iv(surface: Surface) -> FloatArray:
    w = surface.total_variance(0.0, surface.years)
    gained, passed = np.diff(w, prepend=0.0), np.diff(surface.years, prepend=0.0)
    with np.errstate(all="ignore"):
        result: FloatArray = np.where((gained >= 0.0) & (passed > 0.0), np.sqrt(gained / passed), np.nan)
        return result
