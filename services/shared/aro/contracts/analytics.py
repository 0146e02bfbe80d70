"""Messages from worker to client: what the platform computed. JSON at the edge comes from these structs.

``null`` means "not computable", never 0. ``*_ts`` are UTC epoch milliseconds, their ``*_time`` twins ISO 8601.
"""

from typing import Final, Literal

import msgspec

Column = list[float | None]
DECIMALS: Final = {
    **dict.fromkeys(("iv", "bid_iv", "ask_iv", "delta", "vega", "theta", "rho", "years", "carry", "ratio"), 6),
    "gamma": 9,
    "price": 4,
}
"""Decimal places that are published. A tick of price moves an IV far more than the last of its places."""

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
    `vega` per vol point (0.01), `theta` per calendar day, `rho` per 1 % of rate.
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


class ChainMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``metrics:{product}:{expiry}``: one number per question, for one expiry.

    `expected_move_*` are in points of the underlying: ``1sd`` is F·σ·√T (68 %), ``straddle`` the mean absolute
    move, ``85`` the retail 0.85 x straddle. Ratios are null when their denominator is 0.
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


class ProductStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is ``live`` while the newest data is younger than the limit, else ``stale``."""

    product: str
    state: Literal["live", "stale"]
    age_ms: int
    expiries: list[str]


class PlatformStatus(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``status``."""

    server_ts: int
    products: list[ProductStatus]
    stream_lag: dict[str, int]
    dead_letters: int
