"""Enriched messages as a worker writes them, with numbers that mean nothing: for tests of storing and serving."""

from typing import Any

import msgspec

from aro.adapters.chain_store import ChainRecord
from aro.adapters.clock import iso
from aro.contracts.analytics import ChainMetrics, EnrichedChain, EnrichedQuotes, EnrichedTick
from aro.contracts.codec import encode_json
from aro.contracts.names import snapshot_id, tick_id
from aro.testing.factories import EXPIRY_TS, SNAPSHOT_TS

STRIKES = (24_900.0, 25_000.0, 25_100.0)


def record(source_ts: int = SNAPSHOT_TS, source_seq: int | None = None, **head: Any) -> ChainRecord:
    """A chain with its metrics; `head` changes fields of both."""
    seq = source_ts if source_seq is None else source_seq
    chain = msgspec.convert({**_shared(source_ts, seq, head), **_chain_only()}, EnrichedChain)
    metrics = msgspec.convert({**_shared(source_ts, seq, head), **_metrics_only()}, ChainMetrics)
    return ChainRecord(chain, metrics, encode_json(chain))


def tick(source_ts: int = SNAPSHOT_TS, source_seq: int | None = None, product: str = "NIFTY") -> EnrichedTick:
    seq = source_ts if source_seq is None else source_seq
    return EnrichedTick(
        product=product,
        exchange="NSE",
        price=25_000.0,
        prev_close=24_900.0,
        change=100.0,
        change_percent=0.4016,
        origin="synthetic",
        source_seq=seq,
        source_ts=source_ts,
        source_time=iso(source_ts),
        id=tick_id(product, seq),
    )


def _shared(source_ts: int, source_seq: int, head: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "product": "NIFTY",
        "exchange": "NSE",
        "expiry": "2026-11-23",
        "expiry_ts": EXPIRY_TS,
        "origin": "synthetic",
        "spot": 25_000.0,
        "forward": 25_010.5,
        "forward_source": "parity",
        "basis": 10.5,
        "dte_years": 0.019,
        "atm_strike": 25_000.0,
        "flags": [],
        "source_seq": source_seq,
        "source_ts": source_ts,
        "source_time": iso(source_ts),
        "computed_ts": source_ts + 7,
        **head,
    }
    identity = snapshot_id(fields["product"], fields["expiry"], source_seq)
    return {**fields, "expiry_time": iso(fields["expiry_ts"]), "id": identity}


def _chain_only() -> dict[str, Any]:
    numbers = [1.5, None, 0.0]
    side: dict[str, Any] = dict.fromkeys(EnrichedQuotes.__struct_fields__, numbers)
    side |= {"iv_status": ["ok", "no_price", "ok"], "flags": [[], ["no_bid", "no_ask"], []]}
    return {
        "model": "black76",
        "exercise_style": "european",
        "forward_low": 25_010.0,
        "forward_high": 25_011.0,
        "implied_carry": 0.02,
        "rate": 0.065,
        "contract_size": 65,
        "tick_size": 0.05,
        "open_interest_units": "contracts",
        "strikes": list(STRIKES),
        "calls": side,
        "puts": side,
    }


def _metrics_only() -> dict[str, Any]:
    computable = {
        name: 1.25
        for name in ChainMetrics.__struct_fields__
        if name.startswith(("iv_atm", "atm_straddle", "expected_move", "call_", "put_"))
        and not name.endswith("_buildup")
    }
    return {**computable, "pcr_oi": 0.7333, "pcr_volume": None, "pcr_oi_value": 1.0, "max_pain": 25_000.0} | {
        "iv_status_counts": {"ok": 4, "no_price": 2}
    }
