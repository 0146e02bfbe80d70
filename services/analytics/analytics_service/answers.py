"""What analytics answers: bars, histories and what is computed from chains. Surfaces have their own module.

Columns have one entry per strike, or per instant, of the list beside them. ``null`` is "not computable". `source_ts` is
the instant of the data behind an answer, and what the header ``As-Of`` says.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from aro.contracts.analytics import BuildupShares, Column, ForwardSource

Scope = Literal["expiry", "next3", "all"]


class ExplainedForward(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot behind a number, and the forward it was computed with."""

    id: str
    expiry: str
    source_time: str
    spot: float
    forward: float | None
    forward_source: ForwardSource | None
    dte_years: float
    rate: float | None
    """Null where only metrics were read: they do not carry it."""
    forward_low: float | None
    forward_high: float | None
    flags: list[str]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Only with ``explain=1``: what an answer was made of. `inputs` and `filters` differ by route."""

    formula: str
    snapshots: list[ExplainedForward]
    inputs: dict[str, Any]
    filters: dict[str, Any]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    product: str
    source_ts: int
    source_time: str
    explain: Explanation | UnsetType = UNSET


class MissingBars(msgspec.Struct, frozen=True, kw_only=True):
    """`bars` intervals in a row without any data. Outside of sessions (`in_session` false) nothing is missing."""

    from_ts: int
    to_ts: int
    from_time: str
    to_time: str
    bars: int
    in_session: bool


class OhlcBar(msgspec.Struct, frozen=True, kw_only=True):
    """What a value did in [start_ts, start_ts + interval): `count` values made it; `complete` false is being formed."""

    start_ts: int
    start_time: str
    open: float
    high: float
    low: float
    close: float
    count: int
    complete: bool


class BarsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals without data have no bar; `gaps` lists them. Nothing is carried forward."""

    symbol: str
    product: str
    expiry: str | None
    metric: str
    interval: str
    timezone: str
    from_ts: int
    to_ts: int
    bars: list[OhlcBar]
    gaps: list[MissingBars]


class HistoryColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The last value of each interval; `ts` are the starts of intervals with data, and every column has one entry
    for each. Intervals without data are in `gaps`; nothing is carried forward."""

    interval: str
    from_ts: int
    to_ts: int
    ts: list[int]
    time: list[str]
    columns: dict[str, Column]
    gaps: list[MissingBars]


class PcrAnswer(_Answer, frozen=True, kw_only=True):
    """Put-call ratios; null where the denominator is 0. Of several expiries they are ratios of sums.

    `pcr_oi_value` weights open interest by premium and is of one expiry only.
    """

    scope: Scope
    expiries: list[str]
    pcr_oi: float | None
    pcr_volume: float | None
    pcr_oi_value: float | None
    pcr_oi_change: float | None
    call_open_interest: float
    put_open_interest: float
    call_volume: float
    put_volume: float
    call_open_interest_change: float | None
    put_open_interest_change: float | None
    history: HistoryColumns | UnsetType = UNSET


class StraddleAnswer(_Answer, frozen=True, kw_only=True):
    """The straddle at the strike nearest the forward, and (`_forward`) interpolated at the forward."""

    expiry: str
    spot: float
    forward: float | None
    atm_strike: float | None
    atm_straddle: float | None
    atm_straddle_forward: float | None
    iv_atm: float | None
    history: HistoryColumns | UnsetType = UNSET


class MoveOfExpiry(msgspec.Struct, frozen=True, kw_only=True):
    """Points of the underlying until expiry, either way; `low` and `high` are the forward less and plus one sd."""

    expiry: str
    expiry_ts: int
    dte_years: float
    spot: float
    forward: float | None
    iv_atm: float | None
    expected_move_1sd: float | None
    expected_move_straddle: float | None
    expected_move_85: float | None
    low: float | None
    high: float | None


class ExpectedMoveAnswer(_Answer, frozen=True, kw_only=True):
    """``1sd`` is F·σ·√T (68 %), ``straddle`` the mean absolute move, ``85`` the retail 0.85 x straddle."""

    scope: Scope
    moves: list[MoveOfExpiry]
    history: HistoryColumns | UnsetType = UNSET


class MaxPainAnswer(_Answer, frozen=True, kw_only=True):
    """`pain` is what option holders would receive if the underlying settled at each strike, in contracts x points;
    in quote currency it is `contract_size` times that. It is known to predict little."""

    expiry: str
    spot: float
    forward: float | None
    max_pain: float | None
    contract_size: int
    strikes: list[float]
    pain: Column


class GexAnswer(_Answer, frozen=True, kw_only=True):
    """Gamma exposure in quote currency per 1 % of the underlying.

    Signs are an assumption: ``naive`` has dealers long calls and short puts, ``all_short`` short both; the density
    assumes nothing. `gex_flip` is the spot at which the whole book, repriced at every spot with sticky-strike
    volatilities, changes sign. `spots` and `gex_by_spot` are that profile, within 8 % of the spot.
    """

    scope: Scope
    expiries: list[str]
    sign_model: Literal["naive", "all_short"]
    spot: float
    gex_net: float | None
    gamma_density: float | None
    gex_flip: float | None
    call_wall: float | None
    put_wall: float | None
    strikes: list[float]
    call_gex: Column
    put_gex: Column
    net_gex: Column
    spots: list[float]
    gex_by_spot: Column


class SideChange(msgspec.Struct, frozen=True, kw_only=True):
    open_interest: Column
    open_interest_before: Column
    open_interest_change: Column


class OiChangeAnswer(_Answer, frozen=True, kw_only=True):
    """Open interest in contracts now, and what it was at the basis: the previous close, or the start of the window.

    `pcr_oi_change` is null unless both sums are above 0: of two signs no ratio tells which is which.
    """

    expiry: str
    basis: Literal["prev_close", "window"]
    from_ts: int | None
    from_time: str | None
    strikes: list[float]
    calls: SideChange
    puts: SideChange
    call_open_interest_change: float
    put_open_interest_change: float
    pcr_oi_change: float | None


class SideBuildup(msgspec.Struct, frozen=True, kw_only=True):
    """`price_change` is that of the contract's last price, less delta times the underlying's move if so asked."""

    price: Column
    price_before: Column
    price_change: Column
    open_interest: Column
    open_interest_change: Column
    buildup: list[str | None]
    shares: BuildupShares | None
    """Of each class in the sum of absolute changes of open interest; null if that is 0."""


class OiBuildupAnswer(_Answer, frozen=True, kw_only=True):
    """Classes: price up with OI up ``long_buildup``, down ``short_covering``; price down with OI up
    ``short_buildup``, down ``long_unwinding``; ``neutral`` within a tick or 0.5 % of OI."""

    expiry: str
    basis: Literal["prev_close", "window"]
    price_mode: Literal["premium", "delta_adjusted"]
    from_ts: int | None
    from_time: str | None
    strikes: list[float]
    calls: SideBuildup
    puts: SideBuildup


class LegAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One leg; prices and Greeks of one contract unit, not times `quantity`. `quantity` is below 0 if sold."""

    symbol: str
    quantity: int
    expiry: str
    strike: float
    option_type: Literal["CE", "PE"]
    bid: float | None
    ask: float | None
    mid: float | None
    ltp: float | None
    iv: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None


class StrategyAnswer(_Answer, frozen=True, kw_only=True):
    """`price` is the mid of the whole, `cost` what opening it at once costs (asks bought, bids sold), `proceeds`
    what closing it at once brings; all in points, times `contract_size` in quote currency. `iv` is the mean of the
    legs' weighted by quantity and vega. Null as soon as one leg has none."""

    legs: list[LegAnswer]
    contract_size: int
    spot: float
    price: float | None
    cost: float | None
    proceeds: float | None
    iv: float | None
    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None
    history: HistoryColumns | UnsetType = UNSET
