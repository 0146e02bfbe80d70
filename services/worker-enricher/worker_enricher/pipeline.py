"""Pure: snapshots in, enriched chains and metrics out. No server, no clock, no state."""

import math
from collections.abc import Iterator, Mapping, Sequence
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
from aro.contracts.market import FLAG_NAMES, UnderlyingTick
from aro.contracts.names import tick_id
from aro.contracts.products import product
from aro.quant.arrays import FloatArray, IntArray
from aro.quant.batch import BatchResult, ChainBatch, Columns, SideResult, solve
from aro.quant.columns import SideColumns
from aro.quant.expiry import years_to_expiry
from aro.quant.forward import source_names
from aro.quant.implied import IvStatus, status_names
from aro.quant.open_interest import NAMES
from aro.quant.wire import LEG_ROWS, Flags
from worker_enricher.rounding import rounded
from worker_enricher.snapshots import SoundChain, sound_chain

__all__ = ["SoundChain", "enrich_chains", "enrich_tick", "sound_chain"]

FLAG_BAND_CROSSED: Final = "forward_band_crossed"
FLAG_NO_FORWARD: Final = "no_forward"
FLAG_EXPIRED: Final = "expired"

MODEL_COLUMNS: Final = (
    "iv", "bid_iv", "ask_iv", "delta", "gamma", "vega", "theta", "rho", "vanna", "charm", "volga",
)  # fmt: skip
PRICE_COLUMNS: Final = ("mid", "intrinsic", "time_value")
_CHAIN_NUMBERS: Final = {
    **dict.fromkeys(("forward", "basis", "atm_strike", "forward_low", "forward_high"), "price"),
    "implied_carry": "carry",
}
_METRIC_NUMBERS: Final = {
    "iv_atm": "iv",
    **dict.fromkeys(("atm_straddle", "atm_straddle_forward", "expected_move_1sd", "expected_move_straddle"), "price"),
    "expected_move_85": "price",
    **dict.fromkeys(("pcr_oi", "pcr_volume", "pcr_oi_value"), "ratio"),
    "max_pain": "price",
    **dict.fromkeys(("rr25", "bf25", "smile_rmse", "smile_g_min"), "iv"),
    **dict.fromkeys(("skew_25d_norm", "pcr_oi_change"), "ratio"),
    **dict.fromkeys(("gex_net", "gex_flip", "gamma_density", "call_wall", "put_wall"), "price"),
    **dict.fromkeys(("call_oi_wall", "put_oi_wall", "parity_residual"), "price"),
    **dict.fromkeys(("call_open_interest_change", "put_open_interest_change"), "price"),
}
"""Fields of `BatchResult` to the decimals they are published with."""
_TOTALS: Final = ("call_open_interest", "put_open_interest", "call_volume", "put_volume")
_BUILDUPS: Final = ("call_buildup", "put_buildup")
STATUSES: Final = status_names(range(len(IvStatus)))
_STATUS_ARRAY: Final = np.array(STATUSES, dtype=object)

FLAG_LISTS: Final[list[list[str]]] = [
    [name for bit, name in FLAG_NAMES.items() if flags & bit] for flags in range(sum(FLAG_NAMES) + 1)
]
"""Every combination once, shared by all legs: no list is built per contract."""


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
    """All chains in one vectorised solve, in the order given. `computed_ts` is UTC epoch milliseconds.

    Objects, for whoever computes with them; what is published is printed by `published` without them.
    """
    if not chains:
        return []
    solved = solve_chains(chains)
    return [
        (enriched_chain(solved, index, numbers), ChainMetrics(**numbers.shared, **numbers.metrics))
        for index, numbers in enumerate(solved.numbers(computed_ts))
    ]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Fields of one chain that are one value each: of `EnrichedChain` and `ChainMetrics`, and of either alone."""

    shared: dict[str, Any]
    chain: dict[str, Any]
    metrics: dict[str, Any]


# --- solving -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Solved:
    """Chains with what they imply. `rows` and `flags` are theirs, end to end."""

    chains: Sequence[SoundChain]
    rows: FloatArray
    flags: Flags
    batch: ChainBatch
    result: BatchResult

    def legs(self, index: int) -> slice:
        return slice(int(self.batch.offsets[index]), int(self.batch.offsets[index + 1]))

    def numbers(self, computed_ts: int) -> Iterator[Numbers]:
        """Those of each chain, in order."""
        result = self.result
        heads, metrics = _by_chain(result, _CHAIN_NUMBERS), _by_chain(result, _METRIC_NUMBERS)
        totals = zip(*(getattr(result, name).tolist() for name in _TOTALS), strict=True)
        shares = zip(*(_shares(getattr(result, name)) for name in _BUILDUPS), strict=True)
        counts = _status_counts(result, self.batch.offsets)
        sources = source_names(result.forward_source.tolist())
        years, crossed = self.batch.years.tolist(), result.band_crossed.tolist()
        for i, (head, metric, total, share) in enumerate(zip(heads, metrics, totals, shares, strict=True)):
            snapshot = self.chains[i].snapshot
            listed = product(snapshot.product)
            shared = {
                "product": snapshot.product,
                "exchange": listed.exchange,
                "expiry": snapshot.expiry,
                "expiry_ts": snapshot.expiry_ts,
                "origin": snapshot.origin,
                "spot": snapshot.spot,
                "forward": head["forward"],
                "forward_source": sources[i],
                "basis": head["basis"],
                "dte_years": years[i],
                "atm_strike": head["atm_strike"],
                "flags": _chain_flags(crossed[i], head["forward"], years[i]),
                "source_seq": snapshot.source_seq,
                "source_ts": snapshot.source_ts,
                "source_time": iso(snapshot.source_ts),
                "computed_ts": computed_ts,
                "id": self.chains[i].id,
            }
            chain = {
                "expiry_time": iso(snapshot.expiry_ts),
                "model": "black76",
                "exercise_style": listed.exercise_style,
                "forward_low": head["forward_low"],
                "forward_high": head["forward_high"],
                "implied_carry": head["implied_carry"],
                "rate": snapshot.rate,
                "contract_size": snapshot.contract_size,
                "tick_size": snapshot.tick_size,
                "open_interest_units": "contracts",
                "future": snapshot.future,
            }
            metric.update(zip(_TOTALS, total, strict=True))
            metric.update(zip(_BUILDUPS, share, strict=True))
            metric["iv_status_counts"] = {name: n for name, n in zip(STATUSES, counts[i], strict=True) if n}
            yield Numbers(shared, chain, metric)


def solve_chains(chains: Sequence[SoundChain]) -> Solved:
    """All in one vectorised solve; there must be one."""
    rows = np.concatenate([chain.rows for chain in chains], axis=1)
    flags = np.concatenate([chain.flags for chain in chains], axis=1)
    snapshots = [chain.snapshot for chain in chains]

    def scalars(name: str) -> FloatArray:
        return np.array([getattr(snapshot, name) for snapshot in snapshots], dtype=np.float64)

    def instants(name: str) -> IntArray:
        return np.array([getattr(snapshot, name) for snapshot in snapshots], dtype=np.int64)

    batch = ChainBatch(
        offsets=np.concatenate([[0], np.cumsum([chain.rows.shape[1] for chain in chains], dtype=np.int64)]),
        strikes=rows[0],
        calls=_side(rows[1 : 1 + LEG_ROWS]),
        puts=_side(rows[1 + LEG_ROWS :]),
        spot=scalars("spot"),
        years=years_to_expiry(instants("source_ts"), instants("expiry_ts")),
        rate=scalars("rate"),
        dividend_yield=scalars("dividend_yield"),
        future=scalars("future"),
        contract_size=scalars("contract_size"),
        tick_size=scalars("tick_size"),
    )
    return Solved(chains, rows, flags, batch, solve(batch))


def _side(rows: FloatArray) -> Columns:
    side = SideColumns(*rows)
    return Columns(*(getattr(side, name) for name in Columns._fields))


def _by_chain(result: BatchResult, kinds: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    values = rounded(np.array([getattr(result, name) for name in kinds]), list(kinds.values()))
    return (dict(zip(kinds, numbers, strict=True)) for numbers in zip(*values, strict=True))


def _shares(shares: FloatArray) -> list[dict[str, float] | None]:
    known = [all(math.isfinite(share) for share in row) for row in shares.tolist()]
    rows = np.round(shares, DECIMALS["ratio"]).tolist()
    return [dict(zip(NAMES, row, strict=True)) if there else None for row, there in zip(rows, known, strict=True)]


def _status_counts(result: BatchResult, offsets: IntArray) -> list[list[int]]:
    """(chains, statuses): contracts of either side."""
    chains, kinds = len(offsets) - 1, len(STATUSES)
    first = kinds * np.repeat(np.arange(chains), np.diff(offsets))
    counts = sum(np.bincount(first + side.iv_status, minlength=chains * kinds) for side in (result.calls, result.puts))
    return cast(list[list[int]], np.reshape(counts, (chains, kinds)).tolist())


def _chain_flags(band_crossed: bool, forward: float | None, years: float) -> list[str]:
    said = {FLAG_BAND_CROSSED: band_crossed, FLAG_NO_FORWARD: forward is None, FLAG_EXPIRED: years <= 0}
    return [flag for flag, holds in said.items() if holds]


# --- messages ------------------------------------------------------------------------------


def enriched_chain(solved: Solved, index: int, numbers: Numbers) -> EnrichedChain:
    legs = solved.legs(index)
    rows, (call_flags, put_flags) = solved.rows[:, legs], solved.flags[:, legs]
    return EnrichedChain(
        **numbers.shared,
        **numbers.chain,
        strikes=rows[0].tolist(),
        calls=_quotes(rows[1 : 1 + LEG_ROWS], call_flags, solved.result.calls, legs),
        puts=_quotes(rows[1 + LEG_ROWS :], put_flags, solved.result.puts, legs),
    )


def _quotes(rows: FloatArray, flags: Flags, side: SideResult, legs: slice) -> EnrichedQuotes:
    def published(name: str, decimals: str) -> list[float | None]:
        return cast(list[float | None], np.round(getattr(side, name)[legs], DECIMALS[decimals]).tolist())

    columns: dict[str, Any] = {
        **{name: _or_none(row) for name, row in zip(SideColumns._fields, rows, strict=True)},
        **{name: published(name, "price") for name in PRICE_COLUMNS},
        **{name: published(name, name) for name in MODEL_COLUMNS},
    }
    return EnrichedQuotes(
        **columns,
        iv_status=_STATUS_ARRAY[side.iv_status[legs]].tolist(),
        flags=[FLAG_LISTS[bits] for bits in flags.tolist()],
    )


def _or_none(row: FloatArray) -> list[float | None]:
    return [None if value != value else value for value in row.tolist()]


def _round(value: float | None, kind: str) -> float | None:
    return None if value is None else round(value, DECIMALS[kind])
