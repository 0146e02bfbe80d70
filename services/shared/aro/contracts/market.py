"""Messages from feed to worker: what a market says, before any maths.

``None`` means "not quoted" or "not known"; it is never written as 0. Timestamps are UTC epoch milliseconds.
"""

from typing import Final, Literal

import msgspec

MESSAGE_VERSION: Final = 1
MAX_STRIKES: Final = 2_000
"""NSE's longest chain has about 250; a message beyond this is rejected."""

Origin = Literal["synthetic", "replay"]
Column = list[float | None]
"""One number per strike of the message, in the order of its `strikes`."""

# Leg flags: why a quote of this contract is null although the source sent something.
FLAG_NO_BID: Final = 1
FLAG_NO_ASK: Final = 2
FLAG_CROSSED: Final = 4
FLAG_NOT_LISTED: Final = 8
FLAG_NEVER_TRADED: Final = 16
FLAG_FRACTIONAL_OI: Final = 32
FLAG_NAMES: Final = {
    FLAG_NO_BID: "no_bid",
    FLAG_NO_ASK: "no_ask",
    FLAG_CROSSED: "crossed_at_source",
    FLAG_NOT_LISTED: "not_listed",
    FLAG_NEVER_TRADED: "never_traded",
    FLAG_FRACTIONAL_OI: "fractional_open_interest",
}


class UnderlyingTick(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price of the underlying. `source_seq` rises per product and never goes back."""

    product: str
    price: float
    source_seq: int
    source_ts: int
    origin: Origin
    prev_close: float | None = None
    v: int = MESSAGE_VERSION


class Quotes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side (calls or puts) of a chain in columns.

    Prices are in the quote currency per unit of the underlying; sizes, volume and open interest are in
    contracts (never contracts x lot). `flags` is a bit field per strike, see ``FLAG_*``.
    """

    bid: Column
    ask: Column
    bid_size: Column
    ask_size: Column
    ltp: Column
    prev_close: Column
    volume: Column
    open_interest: Column
    open_interest_change: Column
    flags: list[int]


class ChainSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All contracts of one product and expiry at one instant.

    `strikes` rise strictly. `expiry` is the contract's label (``YYYY-MM-DD``); `expiry_ts` is the instant
    that time to expiry is counted to, which a replay shifts together with `source_ts`.
    `rate` and `dividend_yield` are continuous annual decimals; `source_seq` rises per product and expiry.
    """

    product: str
    expiry: str
    expiry_ts: int
    source_seq: int
    source_ts: int
    origin: Origin
    spot: float
    rate: float
    dividend_yield: float
    contract_size: int
    tick_size: float
    strikes: list[float]
    calls: Quotes
    puts: Quotes
    future: float | None = None
    v: int = MESSAGE_VERSION


class RawChain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `ChainSnapshot` whose columns are still msgpack: what a worker reads when it needs no object per contract."""

    product: str
    expiry: str
    expiry_ts: int
    source_seq: int
    source_ts: int
    origin: Origin
    spot: float
    rate: float
    dividend_yield: float
    contract_size: int
    tick_size: float
    strikes: msgspec.Raw
    calls: msgspec.Raw
    puts: msgspec.Raw
    future: float | None = None
    v: int = MESSAGE_VERSION
