"""Pure: snapshots in, enriched chains and metrics out. No server, no clock, no state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from aro.adapters.clock import iso
from aro.contracts.analytics import (
    DECIMALS,
    ChainMetrics,
    EnrichedChain,
    EnrichedQuotes,
    EnrichedTick,
)
from aro.contracts.market import FLAG_NAMES, ChainSnapshot, Quotes, UnderlyingTick
from aro.contracts.names import snapshot_id, tick_id
from aro.contracts.products import product
from aro.quant.batch import BatchResult, Chain, ChainBatch, Side, SideResult, join, solve
from aro.quant.columns import ChainColumns, SideColumns, chain_columns
from aro.quant.expiry import years_to_expiry
from aro.quant.forward import source_names
from aro.quant.implied import IvStatus, status_names
from aro.quant.open_interest import NAMES

FLAG_BAND_CROSSED: Final = "forward_band_crossed"
FLAG_NO_FORWARD: Final = "no_forward"
FLAG_EXPIRED: Final = "expired"

_MODEL_COLUMNS: Final = (
    "iv", "bid_iv", "ask_iv", "delta", "gamma", "vega", "theta", "rho", "vanna", "charm", "volga",
)  # fmt: skip
_MARKET_METRICS: Final = {
    **dict.fromkeys(("rr25", "bf25", "smile_rmse", "smile_g_min"), "iv"),
    **dict.fromkeys(("skew_25d_norm", "pcr_oi_change"), "ratio"),
    **dict.fromkeys(("gex_net", "gex_flip", "gamma_density", "call_wall", "put_wall"), "price"),
    **dict.fromkeys(("call_oi_wall", "put_oi_wall", "parity_residual"), "price"),
    **dict.fromkeys(("call_open_interest_change", "put_open_interest_change"), "price"),
}
"""`aro.quant.chain_metrics.MarketMetrics` to the decimals they are published with."""
_STATUSES: Final = np.array(status_names(range(len(IvStatus))), dtype=object)

_FLAG_LISTS: Final[list[list[str]]] = [
    [name for bit, name in FLAG_NAMES.items() if flags & bit] for flags in range(sum(FLAG_NAMES) + 1)
]
"""Every combination once, shared by all legs: no list is built per contract."""


@dataclass(frozen=True, slots=True)
class SoundChain:
    """A snapshot that passed `chain_columns`, with its arrays."""

    snapshot: ChainSnapshot
    columns: ChainColumns

    @property
    def id(self) -> str:
        return snapshot_id(self.snapshot.product, self.snapshot.expiry, self.snapshot.source_seq)


def sound_chain(snapshot: ChainSnapshot) -> SoundChain:
    """Raises `MessageRejected` for a snapshot that must not enter."""
    return SoundChain(snapshot, chain_columns(snapshot))


def enrich_tick(tick: UnderlyingTick) -> EnrichedTick:
    change = None if tick.prev_close is None else tick.price - tick.prev_close
    percent = None if change is None or tick.prev_close is None else 100 * change / tick.prev_close
    return EnrichedTick(
        product=tick.product,
        exchange=product(tick.product).exchange,
        price=tick.price,
        prev_close=tick.prev_close,
        change=_round(change, "price"),
        change_percent=_round(percent, "price"),
        origin=tick.origin,
        source_seq=tick.source_seq,
        source_ts=tick.source_ts,
        source_time=iso(tick.source_ts),
        id=tick_id(tick.product, tick.source_seq),
    )


def enrich_chains(chains: Sequence[SoundChain], *, computed_ts: int) -> list[tuple[EnrichedChain, ChainMetrics]]:
    """All chains in one vectorised solve, in the order given. `computed_ts` is UTC epoch milliseconds."""
    if not chains:
        return []
    batch = join([_quant_chain(chain) for chain in chains])
    result = solve(batch)
    return [_messages(chain, index, batch, result, computed_ts) for index, chain in enumerate(chains)]


def _quant_chain(chain: SoundChain) -> Chain:
    snapshot, columns = chain.snapshot, chain.columns
    return Chain(
        strikes=columns.strikes,
        calls=_quant_side(columns.calls),
        puts=_quant_side(columns.puts),
        spot=snapshot.spot,
        years=float(years_to_expiry(snapshot.source_ts, snapshot.expiry_ts)),
        rate=snapshot.rate,
        dividend_yield=snapshot.dividend_yield,
        future=snapshot.future,
        contract_size=snapshot.contract_size,
        tick_size=snapshot.tick_size,
    )


def _quant_side(side: SideColumns) -> Side:
    return Side(
        bid=side.bid,
        ask=side.ask,
        open_interest=side.open_interest,
        volume=side.volume,
        ltp=side.ltp,
        prev_close=side.prev_close,
        open_interest_change=side.open_interest_change,
    )


# --- messages ------------------------------------------------------------------------------


def _messages(
    chain: SoundChain, index: int, batch: ChainBatch, result: BatchResult, computed_ts: int
) -> tuple[EnrichedChain, ChainMetrics]:
    snapshot, listed = chain.snapshot, product(chain.snapshot.product)
    legs = slice(int(batch.offsets[index]), int(batch.offsets[index + 1]))
    years = float(batch.years[index])
    shared: dict[str, Any] = {
        "product": snapshot.product,
        "exchange": listed.exchange,
        "expiry": snapshot.expiry,
        "expiry_ts": snapshot.expiry_ts,
        "origin": snapshot.origin,
        "spot": snapshot.spot,
        "forward": _scalar(result.forward[index], "price"),
        "forward_source": source_names([int(result.forward_source[index])])[0],
        "basis": _scalar(result.basis[index], "price"),
        "dte_years": years,
        "atm_strike": _scalar(result.atm_strike[index], "price"),
        "flags": _chain_flags(result, index, years),
        "source_seq": snapshot.source_seq,
        "source_ts": snapshot.source_ts,
        "source_time": iso(snapshot.source_ts),
        "computed_ts": computed_ts,
        "id": chain.id,
    }
    enriched = EnrichedChain(
        **shared,
        expiry_time=iso(snapshot.expiry_ts),
        model="black76",
        exercise_style=listed.exercise_style,
        forward_low=_scalar(result.forward_low[index], "price"),
        forward_high=_scalar(result.forward_high[index], "price"),
        implied_carry=_scalar(result.implied_carry[index], "carry"),
        rate=snapshot.rate,
        contract_size=snapshot.contract_size,
        tick_size=snapshot.tick_size,
        open_interest_units="contracts",
        strikes=snapshot.strikes,
        calls=_quotes(snapshot.calls, result.calls, legs),
        puts=_quotes(snapshot.puts, result.puts, legs),
        future=snapshot.future,
    )
    return enriched, ChainMetrics(**shared, **_metric_values(result, index, legs))


def _metric_values(result: BatchResult, index: int, legs: slice) -> dict[str, Any]:
    statuses = np.concatenate([result.calls.iv_status[legs], result.puts.iv_status[legs]])
    counts = np.bincount(statuses, minlength=len(_STATUSES))
    return {
        "iv_atm": _scalar(result.iv_atm[index], "iv"),
        "atm_straddle": _scalar(result.atm_straddle[index], "price"),
        "atm_straddle_forward": _scalar(result.atm_straddle_forward[index], "price"),
        "expected_move_1sd": _scalar(result.expected_move_1sd[index], "price"),
        "expected_move_straddle": _scalar(result.expected_move_straddle[index], "price"),
        "expected_move_85": _scalar(result.expected_move_85[index], "price"),
        "pcr_oi": _scalar(result.pcr_oi[index], "ratio"),
        "pcr_volume": _scalar(result.pcr_volume[index], "ratio"),
        "pcr_oi_value": _scalar(result.pcr_oi_value[index], "ratio"),
        "call_open_interest": float(result.call_open_interest[index]),
        "put_open_interest": float(result.put_open_interest[index]),
        "call_volume": float(result.call_volume[index]),
        "put_volume": float(result.put_volume[index]),
        "max_pain": _scalar(result.max_pain[index], "price"),
        **{name: _scalar(getattr(result, name)[index], kind) for name, kind in _MARKET_METRICS.items()},
        "call_buildup": _shares(result.call_buildup[index]),
        "put_buildup": _shares(result.put_buildup[index]),
        "iv_status_counts": {name: int(count) for name, count in zip(_STATUSES, counts, strict=True) if count},
    }


def _quotes(quotes: Quotes, side: SideResult, legs: slice) -> EnrichedQuotes:
    def published(name: str, decimals: str) -> list[float | None]:
        return cast(list[float | None], np.round(getattr(side, name)[legs], DECIMALS[decimals]).tolist())

    return EnrichedQuotes(
        **{name: getattr(quotes, name) for name in SideColumns._fields},
        **{name: published(name, "price") for name in ("mid", "intrinsic", "time_value")},
        **{name: published(name, name) for name in _MODEL_COLUMNS},
        iv_status=_STATUSES[side.iv_status[legs]].tolist(),
        flags=[_FLAG_LISTS[flags] for flags in quotes.flags],
    )


def _chain_flags(result: BatchResult, index: int, years: float) -> list[str]:
    flags = []
    if result.band_crossed[index]:
        flags.append(FLAG_BAND_CROSSED)
    if np.isnan(result.forward[index]):
        flags.append(FLAG_NO_FORWARD)
    if years <= 0:
        flags.append(FLAG_EXPIRED)
    return flags


def _shares(shares: Any) -> dict[str, float] | None:
    return None if np.isnan(shares).any() else dict(zip(NAMES, np.round(shares, 6).tolist(), strict=True))


def _scalar(value: Any, kind: str) -> float | None:
    return None if np.isnan(value) else _round(float(value), kind)


def _round(value: float | None, kind: str) -> float | None:
    return None if value is None else round(value, DECIMALS[kind])
