"""What analytics answers about volatility: smiles, surfaces, term structure, indices, rank and realised."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from analytics_service.answers import Explanation, HistoryColumns
from aro.contracts.analytics import Column, SurfaceState, TermPoint


class SmileFit(msgspec.Struct, frozen=True, kw_only=True):
    """Raw SVI of this chain alone: w(k) = a + b(ρ(k - m) + √((k - m)² + σ²)), k = ln(K/F), iv = √(w/dte_years)."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float
    points: int
    rmse: float
    max_error: float
    g_min: float
    k_low: float
    k_high: float


class JumpWingParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The same curve in traders' words: variances are annual, `p` and `c` slopes of the put and the call wing."""

    v: float
    psi: float
    p: float
    c: float
    v_tilde: float


class SmileSide(msgspec.Struct, frozen=True, kw_only=True):
    iv: Column
    bid_iv: Column
    ask_iv: Column
    delta: Column


class SmileAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Quoted volatilities of one chain, and the smile fitted to its out-of-the-money side. `fitted_iv` is the curve at
    each strike, null without a fit; beyond `fit.k_low` to `fit.k_high` it is extrapolated."""

    product: str
    expiry: str
    source_ts: int
    source_time: str
    spot: float
    forward: float | None
    dte_years: float
    atm_strike: float | None
    iv_atm: float | None
    rr25: float | None
    bf25: float | None
    skew_25d_norm: float | None
    strikes: list[float]
    moneyness: Column
    calls: SmileSide
    puts: SmileSide
    used: list[bool]
    """Whether the strike's out-of-the-money quote entered the fit."""
    fit: SmileFit | None
    jump_wings: JumpWingParameters | None
    fitted_iv: Column
    explain: Explanation | UnsetType = UNSET


class SurfaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One expiry; `iv` has one entry per point of the grid, null outside of the surface."""

    expiry: str
    dte_years: float
    forward: float
    iv: Column


class SurfaceGrid(msgspec.Struct, frozen=True, kw_only=True):
    """The surface along `axis`: strikes, moneyness ln(K/F), or undiscounted forward deltas of the call (0.75 is the
    25-delta put)."""

    axis: Literal["strike", "moneyness", "delta"]
    points: list[float]
    rows: list[SurfaceRow]


class SurfaceAnswer(SurfaceState, frozen=True, kw_only=True):
    """The surface as it was published: fitted parameters in `slices`, volatilities at `moneyness`, and the arbitrage
    report in `violations`. With `axis` also a `grid` along it."""

    grid: SurfaceGrid | UnsetType = UNSET
    explain: Explanation | UnsetType = UNSET


class TermExpiry(msgspec.Struct, frozen=True, kw_only=True):
    """`forward_iv` is the volatility between the expiry before and this one; null where variance would fall."""

    expiry: str
    expiry_ts: int
    dte_years: float
    forward: float
    iv_atm: float | None
    forward_iv: float | None
    rr25: float | None
    bf25: float | None


class TermStructureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """At-the-money-forward volatility by expiry, and of constant maturities (linear in total variance)."""

    product: str
    source_ts: int
    source_time: str
    model: Literal["svi", "svi_repaired", "ssvi"]
    spot: float
    expiries: list[TermExpiry]
    constant_maturity: list[TermPoint]
    history: HistoryColumns | UnsetType = UNSET
    explain: Explanation | UnsetType = UNSET


class VarianceDay(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    variance_index: dict[str, float | None]


class VarianceIndexAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The model-free 30-day index in vol points by method: ``cboe`` and ``india``; null where the listed expiries
    allow none. `days` are the last values of past days."""

    product: str
    source_ts: int
    source_time: str
    variance_index: dict[str, float | None]
    days: list[VarianceDay]
    history: HistoryColumns | UnsetType = UNSET
    explain: Explanation | UnsetType = UNSET


class IvDay(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    iv_30d: float


class IvRankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the 30-day volatility stands among the daily ones of the last 252 days: rank between their least and
    greatest (beyond 0 to 100 at a new extreme), percentile of days below. Null with fewer than 20 days."""

    product: str
    source_ts: int
    source_time: str
    iv_30d: float | None
    iv_rank: float | None
    iv_percentile: float | None
    n_obs: int
    lowest: IvDay | None
    highest: IvDay | None
    days: list[IvDay]
    explain: Explanation | UnsetType = UNSET


class RealisedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Realised volatility of the underlying over `bars` bars of `interval`, annual decimals, beside the implied one
    (30-day, or of `expiry` at the money). `premium` is implied less close-to-close."""

    product: str
    expiry: str | None
    source_ts: int
    source_time: str
    interval: str
    from_ts: int
    to_ts: int
    bars: int
    bars_wanted: int
    bars_per_year: float
    close_to_close: float | None
    parkinson: float | None
    garman_klass: float | None
    yang_zhang: float | None
    implied: float | None
    premium: float | None
    explain: Explanation | UnsetType = UNSET
