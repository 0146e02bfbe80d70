"""From a snapshot to arrays: the one check of what may enter the platform, used by feed and worker alike."""

import math
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from aro.contracts.market import FLAG_NAMES, MAX_STRIKES, ChainSnapshot, Column, Quotes, RawChain, UnderlyingTick
from aro.contracts.problems import MessageRejected, UnknownProduct
from aro.contracts.products import product
from aro.quant.arrays import FloatArray

MAX_EXACT_INTEGER: Final = 2**53
"""Sequences and timestamps travel through Lua and JavaScript, whose integers are float64."""

_PRICES: Final = ("bid", "ask", "ltp", "prev_close")
_COUNTS: Final = ("bid_size", "ask_size", "volume", "open_interest")
_ALL_FLAGS: Final = sum(FLAG_NAMES)


class SideColumns(NamedTuple):
    """One side of a chain, one float64 per strike; NaN is "not quoted"."""

    bid: FloatArray
    ask: FloatArray
    bid_size: FloatArray
    ask_size: FloatArray
    ltp: FloatArray
    prev_close: FloatArray
    volume: FloatArray
    open_interest: FloatArray
    open_interest_change: FloatArray


class ChainColumns(NamedTuple):
    strikes: FloatArray
    calls: SideColumns
    puts: SideColumns


def chain_columns(snapshot: ChainSnapshot) -> ChainColumns:
    """The arrays of a snapshot that is sound.

    Raises
    ------
    MessageRejected
        With the reason: ``unknown_product``, ``bad_time``, ``bad_strikes``, ``bad_columns``, ``not_finite``,
        ``negative`` (prices must be positive, counts must not be negative) or ``crossed`` (a bid above its ask).
    """
    check_head(snapshot)
    strikes = _strikes(snapshot.strikes)
    return ChainColumns(
        strikes,
        _side("call", snapshot.calls, len(strikes)),
        _side("put", snapshot.puts, len(strikes)),
    )


def check_tick(tick: UnderlyingTick) -> None:
    """Raises `MessageRejected` unless the tick is sound."""
    _check_product(tick.product)
    _check_instants(tick.source_seq, tick.source_ts)
    _check_positive("price", tick.price)
    if tick.prev_close is not None:
        _check_positive("prev_close", tick.prev_close)


def check_head(snapshot: ChainSnapshot | RawChain) -> None:
    """Raises `MessageRejected` as `chain_columns` does, for all but the columns."""
    _check_product(snapshot.product)
    _check_instants(snapshot.source_seq, snapshot.source_ts, snapshot.expiry_ts)
    try:
        if date.fromisoformat(snapshot.expiry).isoformat() != snapshot.expiry:
            raise ValueError(snapshot.expiry)
    except ValueError:
        raise MessageRejected("bad_time", f"expiry {snapshot.expiry[:40]!r} is not a date YYYY-MM-DD") from None
    for name in ("spot", "tick_size", "contract_size"):
        _check_positive(name, getattr(snapshot, name))
    if snapshot.future is not None:
        _check_positive("future", snapshot.future)
    for name in ("rate", "dividend_yield"):
        if not math.isfinite(getattr(snapshot, name)):
            raise MessageRejected("not_finite", f"{name} is not finite")


def _check_product(name: str) -> None:
    try:
        product(name)
    except UnknownProduct as error:
        raise MessageRejected("unknown_product", error.detail) from None


def _check_instants(*values: int) -> None:
    if not all(0 < value < MAX_EXACT_INTEGER for value in values):
        raise MessageRejected("bad_time", "source_seq, source_ts and expiry_ts must lie between 1 and 2^53")


def _check_positive(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise MessageRejected("not_finite", f"{name} is not finite")
    if value <= 0:
        raise MessageRejected("negative", f"{name} must be positive, not {value}")


def _strikes(values: list[float]) -> FloatArray:
    if not 1 <= len(values) <= MAX_STRIKES:
        raise MessageRejected("bad_strikes", f"a chain has 1 to {MAX_STRIKES} strikes, not {len(values)}")
    strikes = np.array(values, dtype=np.float64)
    # A NaN makes the comparison false, so this also refuses what is not finite.
    if not (strikes[0] > 0 and np.isfinite(strikes[-1]) and bool(np.all(np.diff(strikes) > 0))):
        raise MessageRejected("bad_strikes", "strikes must be positive, finite and strictly rising")
    return strikes


def _side(side: str, quotes: Quotes, size: int) -> SideColumns:
    columns = SideColumns(*(_column(side, name, getattr(quotes, name), size) for name in SideColumns._fields))
    if len(quotes.flags) != size or not all(0 <= flag <= _ALL_FLAGS for flag in quotes.flags):
        raise MessageRejected("bad_columns", f"{side} flags must be {size} bit fields")
    with np.errstate(invalid="ignore"):
        for name in _PRICES:
            if bool(np.any(getattr(columns, name) <= 0)):
                raise MessageRejected("negative", f"{side} {name} must be positive where it is quoted")
        for name in _COUNTS:
            if bool(np.any(getattr(columns, name) < 0)):
                raise MessageRejected("negative", f"{side} {name} must not be negative")
        if bool(np.any(columns.bid > columns.ask)):
            raise MessageRejected("crossed", f"a {side} bid is above its ask")
    return columns


def _column(side: str, name: str, values: Column, size: int) -> FloatArray:
    if len(values) != size:
        raise MessageRejected("bad_columns", f"{side} {name} has {len(values)} entries for {size} strikes")
    column = np.array(values, dtype=np.float64)  # None becomes NaN
    if np.count_nonzero(~np.isfinite(column)) != values.count(None):
        raise MessageRejected("not_finite", f"{side} {name} holds NaN or infinity")
    return column
