"""What the routes answer, as types; and examples of it."""

from typing import Any, Final

import msgspec

from aro.contracts.analytics import EnrichedTick
from aro.contracts.products import Exchange, ExerciseStyle
from aro.contracts.shaped import ShapedChain, ShapedMetrics


class ProductTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A product with the terms of contracts of today. `timezone` is that of its exchange."""

    product: str
    description: str
    exchange: Exchange
    currency: str
    timezone: str
    exercise_style: ExerciseStyle
    contract_size: int
    tick_size: float
    strike_step: float
    has_data: bool


class ProductList(msgspec.Struct, frozen=True, kw_only=True):
    products: list[ProductTerms]


class ExpiryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """`source_ts` and `source_seq` are of its last chain, up to 5 s behind it unless an `as_of` was given."""

    expiry: str
    expiry_ts: int
    source_ts: int
    source_seq: int
    expired: bool


class ExpiryList(msgspec.Struct, frozen=True, kw_only=True):
    """Nearest first."""

    product: str
    expiries: list[ExpiryEntry]


class ChainHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A page; `next_cursor` is null on the last one. Items as published, unless something else was asked for."""

    product: str
    expiry: str
    from_ts: int
    to_ts: int
    items: list[ShapedChain]  # type: ignore[valid-type]
    next_cursor: str | None


class MetricsHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A page; `next_cursor` is null on the last one."""

    product: str
    expiry: str
    from_ts: int
    to_ts: int
    items: list[ShapedMetrics]  # type: ignore[valid-type]
    next_cursor: str | None


class TickHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A page; `next_cursor` is null on the last one."""

    product: str
    from_ts: int
    to_ts: int
    items: list[EnrichedTick]
    next_cursor: str | None


# --- examples ------------------------------------------------------------------------------

PRODUCTS_EXAMPLE: Final = {
    "products": [
        {
            "product": "NIFTY",
            "description": "Nifty 50 index",
            "exchange": "NSE",
            "currency": "INR",
            "timezone": "Asia/Kolkata",
            "exercise_style": "european",
            "contract_size": 65,
            "tick_size": 0.05,
            "strike_step": 50.0,
            "has_data": True,
        }
    ]
}
EXPIRIES_EXAMPLE: Final = {
    "product": "NIFTY",
    "expiries": [
        {
            "expiry": "2026-12-29",
            "expiry_ts": 1798539000000,
            "source_ts": 1798518600123,
            "source_seq": 1798518600123,
            "expired": False,
        }
    ],
}
_STATE: Final[dict[str, Any]] = {
    "product": "NIFTY",
    "expiry": "2026-12-29",
    "source_seq": 1798518600123,
    "source_ts": 1798518600123,
    "source_time": "2026-12-29T04:30:00.123+00:00",
    "id": "NIFTY|2026-12-29|1798518600123",
}
CHAIN_EXAMPLE: Final = {
    **_STATE,
    "spot": 25000.0,
    "forward": 25010.5,
    "atm_strike": 25000.0,
    "strikes": [24950.0, 25000.0],
    "calls": {"iv": [0.1312, 0.1297], "delta": [0.567312, 0.508211]},
    "puts": {"iv": [0.1312, 0.1297], "delta": [-0.432688, -0.491789]},
}
METRICS_EXAMPLE: Final = {**_STATE, "pcr_oi": 0.7333, "iv_atm": 0.1297, "max_pain": 25000.0, "atm_straddle": 258.4}
TICK_EXAMPLE: Final = {
    "product": "NIFTY",
    "exchange": "NSE",
    "price": 25000.0,
    "prev_close": 24900.0,
    "change": 100.0,
    "change_percent": 0.4016,
    "origin": "synthetic",
    "source_seq": 1798518600123,
    "source_ts": 1798518600123,
    "source_time": "2026-12-29T04:30:00.123+00:00",
    "id": "NIFTY|1798518600123",
}
_SPAN: Final = {"from_ts": 1798518600000, "to_ts": 1798518900000}
_CURSOR: Final = "MTc5ODUxODYwMDEyMy4xNzk4NTE4NjAwMTIz"
CHAIN_HISTORY_EXAMPLE: Final = {
    "product": "NIFTY",
    "expiry": "2026-12-29",
    **_SPAN,
    "items": [CHAIN_EXAMPLE],
    "next_cursor": _CURSOR,
}
METRICS_HISTORY_EXAMPLE: Final = {**CHAIN_HISTORY_EXAMPLE, "items": [METRICS_EXAMPLE]}
TICK_HISTORY_EXAMPLE: Final = {"product": "NIFTY", **_SPAN, "items": [TICK_EXAMPLE], "next_cursor": None}
