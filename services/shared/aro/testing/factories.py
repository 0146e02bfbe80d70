"""Small valid messages with every field overridable."""

from typing import Any

from aro.contracts.market import ChainSnapshot, Quotes, UnderlyingTick

SNAPSHOT_TS = 1_795_000_000_000
EXPIRY_TS = SNAPSHOT_TS + 7 * 86_400_000


def quotes(bid: list[float | None], ask: list[float | None], **fields: Any) -> Quotes:
    size = len(bid)
    columns: dict[str, Any] = {
        "bid_size": [50.0] * size,
        "ask_size": [75.0] * size,
        "ltp": bid,
        "prev_close": bid,
        "volume": [100.0] * size,
        "open_interest": [1_000.0] * size,
        "open_interest_change": [10.0] * size,
        "flags": [0] * size,
    }
    return Quotes(bid=bid, ask=ask, **{**columns, **fields})


def chain(**fields: Any) -> ChainSnapshot:
    """A NIFTY chain of five strikes around 25,000 whose quotes obey parity at forward 25,010."""
    strikes = [24_900.0, 24_950.0, 25_000.0, 25_050.0, 25_100.0]
    values: dict[str, Any] = {
        "product": "NIFTY",
        "expiry": "2026-11-23",
        "expiry_ts": EXPIRY_TS,
        "source_seq": SNAPSHOT_TS,
        "source_ts": SNAPSHOT_TS,
        "origin": "synthetic",
        "spot": 25_000.0,
        "rate": 0.065,
        "dividend_yield": 0.012,
        "contract_size": 65,
        "tick_size": 0.05,
        "strikes": strikes,
        "calls": quotes([269.0, 239.0, 211.0, 185.0, 161.0], [270.0, 240.0, 212.0, 186.0, 162.0]),
        "puts": quotes([159.1, 179.1, 201.1, 225.1, 251.1], [160.1, 180.1, 202.1, 226.1, 252.1]),
    }
    return ChainSnapshot(**{**values, **fields})


def tick(**fields: Any) -> UnderlyingTick:
    values: dict[str, Any] = {
        "product": "NIFTY",
        "price": 25_000.0,
        "source_seq": SNAPSHOT_TS,
        "source_ts": SNAPSHOT_TS,
        "origin": "synthetic",
        "prev_close": 24_900.0,
    }
    return UnderlyingTick(**{**values, **fields})
