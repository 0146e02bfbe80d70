"""Messages from worker to client: what the platform computed. JSON at the edge comes from these structs.

``null`` means "not computable", never 0. ``*_ts`` are UTC epoch milliseconds, their ``*_time`` twins ISO 8601.
"""

from typing import Final, Literal, get_type_hints

import msgspec

Column = list[float | None]
DECIMALS: Final = {
    **dict.fromkeys(("iv", "bid_iv", "ask_iv", "delta", "vega", "theta", "rho", "years", "carry", "ratio"), 6),
    **dict.fromkeys(("vanna", "charm", "volga", "moneyness"), 6),
    "gamma": 9,
    "variance": 10,
    "price": 4,
}
"""Decimal places that are published. A tick of price moves an IV far more than the last of its places."""

BuildupShares = dict[str, float]
"""Share of each class of open-interest build-up in Σ|ΔOI|: ``neutral``, ``long_buildup``, ``short_buildup``,
``short_covering``, ``long_unwinding``."""
ForwardSource = Literal["parity", "future", "carry"]
IvStatus = Literal["ok", "no_price", "below_intrinsic", "above_maximum", "expired"]


class EnrichedTick(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``ticks:{product}``."""

    product: str
    exchange: str
    price: float
    prev_close: float | None
    change: float | None
    change_percent: float | None
    origin: str
    source_seq: int
    source_ts: int
    source_time: str
    id: str


class EnrichedQuotes(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a chain: quotes as they came, and what they imply. One entry per strike.

    Prices in quote currency; sizes, volume and open interest in contracts; `iv` columns are annual decimals
    (0.1697 is 16.97 %). Greeks are of the mid IV: `delta` and `gamma` with respect to the forward per 1 point,
    `vega` per vol point (0.01), `theta` per calendar day, `rho` per 1 % of rate; `vanna` is the change of delta per
    vol point, `charm` per calendar day, `volga` the change of vega per vol point. These three are empty in chains
    stored before they existed.
    """

    bid: Column
    ask: Column
    bid_size: Column
    ask_size: Column
    ltp: Column
    mid: Column
    prev_close: Column
    volume: Column
    open_interest: Column
    open_interest_change: Column
    iv: Column
    bid_iv: Column
    ask_iv: Column
    iv_status: list[IvStatus]
    delta: Column
    gamma: Column
    vega: Column
    theta: Column
    rho: Column
    intrinsic: Column
    time_value: Column
    flags: list[list[str]]
    vanna: Column = msgspec.field(default_factory=list)
    charm: Column = msgspec.field(default_factory=list)
    volga: Column = msgspec.field(default_factory=list)


class EnrichedChain(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``chain:{product}:{expiry}``.

    `forward_low` and `forward_high` bound the forward that could be traded by put-call parity over all
    two-sided strikes; when they cross (low above high) some quotes are stale and `flags` has
    ``forward_band_crossed``.
    """

    product: str
    exchange: str
    expiry: str
    expiry_ts: int
    expiry_time: str
    origin: str
    model: Literal["black76"]
    exercise_style: str
    spot: float
    forward: float | None
    forward_source: ForwardSource | None
    forward_low: float | None
    forward_high: float | None
    basis: float | None
    implied_carry: float | None
    rate: float
    dte_years: float
    atm_strike: float | None
    contract_size: int
    tick_size: float
    open_interest_units: Literal["contracts"]
    flags: list[str]
    strikes: list[float]
    calls: EnrichedQuotes
    puts: EnrichedQuotes
    source_seq: int
    source_ts: int
    source_time: str
    computed_ts: int
    id: str
    future: float | None = None
    """Last price of the listed future of this expiry."""


class ChainMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``metrics:{product}:{expiry}``: one number per question, for one expiry.

    `expected_move_*` are in points of the underlying: ``1sd`` is F·σ·√T (68 %), ``straddle`` the mean absolute
    move, ``85`` the retail 0.85 x straddle. Ratios are null when their denominator is 0, that of changes of open
    interest unless both sums are above 0.

    `rr25`, `bf25` and `skew_25d_norm` are read off an SVI fit of this expiry, whose error is `smile_rmse` (annual
    decimal); `smile_g_min` below 0 says that fit has butterfly arbitrage. `gex_net` is quote currency per 1 % under
    the sign model ``naive`` (dealers long calls, short puts), minus `gamma_density` that under ``all_short``;
    `gex_flip` is the spot where the repriced naive total changes sign. Walls are strikes: of most gamma exposure,
    and of most open interest. Build-up is against the previous close. `parity_residual` is in points.
    """

    product: str
    exchange: str
    expiry: str
    expiry_ts: int
    origin: str
    spot: float
    forward: float | None
    forward_source: ForwardSource | None
    basis: float | None
    dte_years: float
    atm_strike: float | None
    iv_atm: float | None
    atm_straddle: float | None
    atm_straddle_forward: float | None
    expected_move_1sd: float | None
    expected_move_straddle: float | None
    expected_move_85: float | None
    pcr_oi: float | None
    pcr_volume: float | None
    pcr_oi_value: float | None
    call_open_interest: float
    put_open_interest: float
    call_volume: float
    put_volume: float
    max_pain: float | None
    iv_status_counts: dict[str, int]
    flags: list[str]
    source_seq: int
    source_ts: int
    source_time: str
    computed_ts: int
    id: str
    rr25: float | None = None
    bf25: float | None = None
    skew_25d_norm: float | None = None
    smile_rmse: float | None = None
    smile_g_min: float | None = None
    gex_net: float | None = None
    gex_flip: float | None = None
    gamma_density: float | None = None
    call_wall: float | None = None
    put_wall: float | None = None
    call_oi_wall: float | None = None
    put_oi_wall: float | None = None
    pcr_oi_change: float | None = None
    call_open_interest_change: float | None = None
    put_open_interest_change: float | None = None
    call_buildup: BuildupShares | None = None
    put_buildup: BuildupShares | None = None
    parity_residual: float | None = None


NUMERIC_METRICS: Final = tuple(
    name for name, kind in get_type_hints(ChainMetrics).items() if kind in (float, float | None)
)
"""The metrics of an expiry that are one number each, so that there are bars of them."""


class SurfaceSlice(msgspec.Struct, frozen=True, kw_only=True):
    """One expiry of a surface: w(k) = a + b(ρ(k - m) + √((k - m)² + σ²)), k = ln(K/F), iv = √(w/dte_years).

    The parameters are those of the surface; `raw_rmse` and `raw_g_min` are of this smile's own best fit, before any
    arbitrage was removed. Errors are of volatility over `points` quotes within `k_low` to `k_high`, annual decimals.
    `iv` has one entry per `moneyness` of the surface, null where that is outside of it.
    """

    expiry: str
    expiry_ts: int
    source_seq: int
    source_ts: int
    dte_years: float
    forward: float
    a: float
    b: float
    rho: float
    m: float
    sigma: float
    points: int
    rmse: float
    max_error: float
    g_min: float
    raw_rmse: float
    raw_g_min: float
    k_low: float
    k_high: float
    iv_atm: float | None
    rr25: float | None
    bf25: float | None
    skew_25d_norm: float | None
    iv: Column


class SurfaceViolation(msgspec.Struct, frozen=True, kw_only=True):
    """Static arbitrage: in the smiles as fitted one by one, or (`tradable`) in bids and asks of this moment.

    `quoted` false is in the extrapolated wing of an expiry. `depth` is above 0: for fitted smiles the missing g
    (butterfly) or total variance (calendar), for quotes the profit in points, or the total variance (calendar).
    """

    kind: Literal["butterfly", "calendar", "vertical"]
    expiry: str
    moneyness: float
    depth: float
    quoted: bool
    tradable: bool


class TermPoint(msgspec.Struct, frozen=True, kw_only=True):
    """At-the-money-forward volatility of a constant maturity; null past the last expiry."""

    days: float
    iv: float | None


class SurfaceState(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``surface:{product}``, fitted every few seconds from all its live expiries.

    Model ``svi``: each smile's own best fit, which together have no arbitrage; ``svi_repaired``: moved until they
    have none; ``ssvi``: replaced by one SSVI, φ(θ) = η/(θ^γ(1 + θ)^(1-γ)), which cannot have any. `variance_index`
    is in vol points by method. Rank and percentile of `iv_30d` are null below 20 daily observations.
    """

    product: str
    exchange: str
    origin: str
    model: Literal["svi", "svi_repaired", "ssvi"]
    spot: float
    slices: list[SurfaceSlice]
    ssvi_rho: float
    ssvi_eta: float
    ssvi_gamma: float
    moneyness: list[float]
    violations: list[SurfaceViolation]
    violation_count: int
    """Of all; `violations` holds the tradable ones first and no more than 100."""
    term_structure: list[TermPoint]
    iv_30d: float | None
    iv_rank: float | None
    iv_percentile: float | None
    iv_n_obs: int
    variance_index: dict[str, float | None]
    flags: list[str]
    source_ts: int
    source_time: str
    computed_ts: int


class IvHistoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The last constant-maturity volatility that was computed on the exchange's calendar day `day`."""

    product: str
    day: str
    iv_30d: float
    variance_index: dict[str, float | None]
    spot: float
    source_ts: int


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """What a value did in [start_ts, start_ts + interval). A minute without a value has no bar."""

    start_ts: int
    start_time: str
    open: float
    high: float
    low: float
    close: float
    count: int


class BarsState(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``bars:{product}:1m``: the last minutes of the underlying's price, oldest first.

    The last bar is the one that `source_ts` (of its newest tick) lies in, and still grows; a late tick may change
    any of them.
    """

    product: str
    exchange: str
    interval: Literal["1m"]
    metric: Literal["spot"]
    bars: list[Bar]
    source_ts: int
    source_time: str
    computed_ts: int
