"""The door of this floor for the pipeline: many chains in, everything their quotes imply out.

Chains of different lengths are joined end to end, so all their contracts meet one `implied_volatility` call. What is
per chain is computed on a matrix padded with NaN, one row per chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aro.quant.arrays import BoolArray, FloatArray, IntArray
from aro.quant.black import greeks
from aro.quant.chain_metrics import market_metrics
from aro.quant.forward import ForwardEstimate, implied_forward
from aro.quant.higher_greeks import higher_greeks
from aro.quant.implied import ImpliedVolatility, implied_volatility
from aro.quant.max_pain import max_pain
from aro.quant.ratios import put_call_ratio, put_call_value_ratio, total
from aro.quant.straddle import at_index, atm_index, expected_move, straddle_at_forward, volatility_at_forward


class Side(NamedTuple):
    """Calls or puts, one entry per strike; NaN is "not quoted" or "not known". Premiums are discounted prices.

    A column left out is known nowhere; what needs it is then not computable.
    """

    bid: ArrayLike
    ask: ArrayLike
    open_interest: ArrayLike
    volume: ArrayLike
    ltp: ArrayLike | None = None
    prev_close: ArrayLike | None = None
    open_interest_change: ArrayLike | None = None
    """Since the previous close, contracts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One expiry of one product at one instant. Sequences may hold None for NaN."""

    strikes: ArrayLike
    calls: Side
    puts: Side
    spot: float
    years: float
    rate: float
    dividend_yield: float
    future: float | None = None
    contract_size: float | None = None
    """Units of the underlying per contract."""
    tick_size: float | None = None


class Columns(NamedTuple):
    """`Side` as float64 arrays over all contracts of a batch."""

    bid: FloatArray
    ask: FloatArray
    open_interest: FloatArray
    volume: FloatArray
    ltp: FloatArray
    prev_close: FloatArray
    open_interest_change: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBatch:
    """`join` builds one. Chain i owns entries ``offsets[i]:offsets[i + 1]`` of every flat array."""

    offsets: IntArray
    """(chains + 1,)"""
    strikes: FloatArray
    """(contracts,), rising within a chain"""
    calls: Columns
    puts: Columns
    spot: FloatArray
    """(chains,), as all below; NaN where not known"""
    years: FloatArray
    """ACT/365, see `aro.quant.expiry`"""
    rate: FloatArray
    """continuous, annual decimal, as is the next"""
    dividend_yield: FloatArray
    future: FloatArray
    contract_size: FloatArray
    tick_size: FloatArray


class SideResult(NamedTuple):
    """What the quotes of one side imply, (contracts,) each; NaN is "not computable".

    Greeks are those of the mid volatility, in the units of `aro.quant.black.Greeks`.
    """

    mid: FloatArray
    """(bid + ask)/2 where both are quoted."""
    iv: FloatArray
    bid_iv: FloatArray
    ask_iv: FloatArray
    iv_status: NDArray[np.int8]
    """`aro.quant.implied.IvStatus` of the mid."""
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray
    vanna: FloatArray
    """This and the next two: units of `aro.quant.higher_greeks.HigherGreeks`."""
    charm: FloatArray
    volga: FloatArray
    intrinsic: FloatArray
    """max(±(F - K), 0), undiscounted."""
    time_value: FloatArray
    """mid - D·intrinsic, the part of the premium that is not intrinsic; negative where the quotes are off parity."""


class BatchResult(NamedTuple):
    """`calls` and `puts` are flat like the batch; every other field is (chains,)."""

    calls: SideResult
    puts: SideResult
    forward: FloatArray
    forward_source: NDArray[np.int8]
    """`aro.quant.forward.ForwardSource`"""
    forward_low: FloatArray
    forward_high: FloatArray
    forward_strikes_used: IntArray
    band_crossed: BoolArray
    basis: FloatArray
    """F - S"""
    implied_carry: FloatArray
    """ln(F/S)/T; NaN at expiry"""
    atm_index: IntArray
    """Within the chain; -1 if there is none."""
    atm_strike: FloatArray
    iv_atm: FloatArray
    atm_straddle: FloatArray
    atm_straddle_forward: FloatArray
    expected_move_1sd: FloatArray
    expected_move_straddle: FloatArray
    expected_move_85: FloatArray
    pcr_oi: FloatArray
    pcr_volume: FloatArray
    pcr_oi_value: FloatArray
    call_open_interest: FloatArray
    put_open_interest: FloatArray
    call_volume: FloatArray
    put_volume: FloatArray
    max_pain: FloatArray
    rr25: FloatArray
    """From here on `aro.quant.chain_metrics.MarketMetrics`."""
    bf25: FloatArray
    skew_25d_norm: FloatArray
    smile_rmse: FloatArray
    smile_g_min: FloatArray
    gex_net: FloatArray
    gex_flip: FloatArray
    gamma_density: FloatArray
    call_wall: FloatArray
    put_wall: FloatArray
    call_oi_wall: FloatArray
    put_oi_wall: FloatArray
    pcr_oi_change: FloatArray
    call_open_interest_change: FloatArray
    put_open_interest_change: FloatArray
    call_buildup: FloatArray
    put_buildup: FloatArray
    parity_residual: FloatArray


def join(chains: Sequence[Chain]) -> ChainBatch:
    """Chains end to end.

    Raises
    ------
    ValueError
        If a column of a chain is not as long as its strikes.
    """
    strikes = [_column(chain.strikes) for chain in chains]
    lengths = [column.size for column in strikes]

    def columns(sides: list[Side]) -> Columns:
        return Columns(*(_join(field, lengths) for field in _fields(sides, lengths)))

    def scalars(values: list[float | None]) -> FloatArray:
        return np.array(values, dtype=np.float64)

    return ChainBatch(
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        strikes=_join(strikes, lengths),
        calls=columns([chain.calls for chain in chains]),
        puts=columns([chain.puts for chain in chains]),
        spot=scalars([chain.spot for chain in chains]),
        years=scalars([chain.years for chain in chains]),
        rate=scalars([chain.rate for chain in chains]),
        dividend_yield=scalars([chain.dividend_yield for chain in chains]),
        future=scalars([chain.future for chain in chains]),
        contract_size=scalars([chain.contract_size for chain in chains]),
        tick_size=scalars([chain.tick_size for chain in chains]),
    )


def solve(batch: ChainBatch) -> BatchResult:
    """Everything the quotes of every chain imply.

    Nothing here raises or warns for any float64: what one chain lacks becomes NaN there and disturbs no other chain.
    """
    with np.errstate(all="ignore"):
        padding = _Padding(batch.offsets)
        K = padding.pad(batch.strikes)
        call_mid, put_mid = _mid(batch.calls), _mid(batch.puts)
        forward = implied_forward(
            K,
            call_bid=padding.pad(batch.calls.bid),
            call_ask=padding.pad(batch.calls.ask),
            put_bid=padding.pad(batch.puts.bid),
            put_ask=padding.pad(batch.puts.ask),
            spot=batch.spot,
            years=batch.years,
            rate=batch.rate,
            dividend_yield=batch.dividend_yield,
            listed_future=batch.future,
        )
        calls, puts = _sides(batch, padding, forward.value, call_mid, put_mid)
        return _result(batch, padding, K, forward, calls, puts)


class _Padding:
    """Between flat arrays and one row per chain, NaN at the end of the shorter rows."""

    def __init__(self, offsets: IntArray) -> None:
        lengths = np.diff(offsets)
        width = int(lengths.max(initial=0))
        self.chain = np.repeat(np.arange(lengths.size), lengths)
        """(contracts,): the chain of each"""
        self._filled = np.arange(width) < lengths[:, None]

    def pad(self, flat: FloatArray) -> FloatArray:
        rows = np.full(self._filled.shape, np.nan)
        rows[self._filled] = flat
        return rows


def _sides(
    batch: ChainBatch, padding: _Padding, forward: FloatArray, call_mid: FloatArray, put_mid: FloatArray
) -> tuple[SideResult, SideResult]:
    discounts = np.exp(-batch.rate * np.maximum(batch.years, 0.0))
    F, T, D = (chains[padding.chain] for chains in (forward, batch.years, discounts))
    K = batch.strikes
    is_call = np.array([True, False])[:, None]
    mid = np.stack([call_mid, put_mid])
    prices = np.stack([np.stack([batch.calls.bid, batch.puts.bid]), mid, np.stack([batch.calls.ask, batch.puts.ask])])
    solved: ImpliedVolatility = implied_volatility(prices, F, K, T, D, is_call)
    bid_iv, iv, ask_iv = solved.iv
    sensitivities = greeks(F, K, T, iv, D, is_call)
    higher = higher_greeks(F, K, T, iv, D, is_call)
    intrinsic = np.maximum(np.where(is_call, F - K, K - F), 0.0)
    columns = (mid, iv, bid_iv, ask_iv, solved.status[1], *sensitivities, *higher, intrinsic, mid - D * intrinsic)
    return SideResult(*(column[0] for column in columns)), SideResult(*(column[1] for column in columns))


def _result(
    batch: ChainBatch,
    padding: _Padding,
    K: FloatArray,
    forward: ForwardEstimate,
    calls: SideResult,
    puts: SideResult,
) -> BatchResult:
    pad = padding.pad
    F = forward.value
    call_oi, put_oi = pad(batch.calls.open_interest), pad(batch.puts.open_interest)
    call_volume, put_volume = pad(batch.calls.volume), pad(batch.puts.volume)
    call_mid, put_mid = pad(calls.mid), pad(puts.mid)
    straddles = call_mid + put_mid
    index = atm_index(K, F)
    iv_atm = volatility_at_forward(K, pad(calls.iv), pad(puts.iv), F)
    atm_straddle = at_index(straddles, index)
    move = expected_move(F, iv_atm, batch.years, atm_straddle)
    alive = batch.years > 0.0
    return BatchResult(
        calls=calls,
        puts=puts,
        forward=F,
        forward_source=forward.source,
        forward_low=forward.low,
        forward_high=forward.high,
        forward_strikes_used=forward.strikes_used,
        band_crossed=forward.band_crossed,
        basis=F - batch.spot,
        implied_carry=np.where(alive & (batch.spot > 0.0), np.log(F / batch.spot) / batch.years, np.nan),
        atm_index=index,
        atm_strike=at_index(K, index),
        iv_atm=iv_atm,
        atm_straddle=atm_straddle,
        atm_straddle_forward=straddle_at_forward(K, straddles, F),
        expected_move_1sd=move.one_sd,
        expected_move_straddle=move.straddle,
        expected_move_85=move.retail,
        pcr_oi=put_call_ratio(put_oi, call_oi),
        pcr_volume=put_call_ratio(put_volume, call_volume),
        pcr_oi_value=put_call_value_ratio(put_oi, put_mid, call_oi, call_mid),
        call_open_interest=total(call_oi),
        put_open_interest=total(put_oi),
        call_volume=total(call_volume),
        put_volume=total(put_volume),
        max_pain=max_pain(K, call_oi, put_oi, F).strike,
        **market_metrics(batch, pad, K, F, calls, puts)._asdict(),
    )


def _mid(side: Columns) -> FloatArray:
    """NaN, and so one-sided quotes, pass through the sum."""
    return 0.5 * side.bid + 0.5 * side.ask


def _column(values: ArrayLike) -> FloatArray:
    return np.array(values, dtype=np.float64).reshape(-1)


def _fields(sides: list[Side], lengths: list[int]) -> list[list[FloatArray]]:
    """Field by field, the column of every side; NaN where a side has none."""
    return [
        [
            np.full(length, np.nan) if column is None else _column(column)
            for column, length in zip(field, lengths, strict=True)
        ]
        for field in (zip(*sides, strict=True) if sides else [()] * len(Side._fields))
    ]


def _join(columns: list[FloatArray], lengths: list[int]) -> FloatArray:
    for chain, (column, length) in enumerate(zip(columns, lengths, strict=True)):
        if column.size != length:
            raise ValueError(f"chain {chain}: a column of {column.size} entries for {length} strikes")
    return np.concatenate([*columns, np.empty(0)])
