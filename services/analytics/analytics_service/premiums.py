"""Pure: put-call ratios, straddles and expected moves, from the metrics that were published."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET

from analytics_service.answers import ExpectedMoveAnswer, MoveOfExpiry, PcrAnswer, Scope, StraddleAnswer
from analytics_service.explained import explanation
from analytics_service.solved import number
from aro.contracts.analytics import ChainMetrics
from aro.quant.ratios import put_call_ratio
from aro.quant.straddle import RETAIL_FACTOR

PCR_SUMS: Final = ("call_open_interest", "put_open_interest", "call_volume", "put_volume")
PCR_CHANGES: Final = ("call_open_interest_change", "put_open_interest_change")
PCR_RATIOS: Final = ("pcr_oi", "pcr_volume", "pcr_oi_value", "pcr_oi_change")
PCR_HISTORY: Final = ("pcr_oi", "pcr_volume", "pcr_oi_value", *PCR_SUMS)
STRADDLE_FIELDS: Final = ("spot", "forward", "atm_strike", "atm_straddle", "atm_straddle_forward", "iv_atm")
STRADDLE_HISTORY: Final = STRADDLE_FIELDS
MOVE_HISTORY: Final = ("forward", "iv_atm", "expected_move_1sd", "expected_move_straddle", "expected_move_85")


def newest(items: Sequence[Any]) -> dict[str, Any]:
    """Product and instant of an answer made of several states."""
    latest = max(items, key=lambda item: item.source_ts)
    return {"product": latest.product, "source_ts": latest.source_ts, "source_time": latest.source_time}


def pcr(metrics: Sequence[ChainMetrics], scope: Scope, *, explain: bool) -> PcrAnswer:
    """Of one expiry: as published. Of several: ratios of sums."""
    sums = {name: sum(getattr(item, name) for item in metrics) for name in PCR_SUMS}
    changes = {name: _sum([getattr(item, name) for item in metrics]) for name in PCR_CHANGES}
    ratios = (
        {name: getattr(metrics[0], name) for name in PCR_RATIOS}
        if len(metrics) == 1
        else {**pooled_ratios(sums), "pcr_oi_value": None, "pcr_oi_change": _change_ratio(changes)}
    )
    numbers: dict[str, Any] = {**sums, **changes, **ratios}
    return PcrAnswer(
        **newest(metrics),
        **numbers,
        scope=scope,
        expiries=[item.expiry for item in metrics],
        explain=explanation(
            "pcr_oi = ΣOI_put/ΣOI_call, pcr_volume = ΣV_put/ΣV_call, pcr_oi_value = Σ(OI·mid)_put/Σ(OI·mid)_call",
            metrics,
            inputs={item.expiry: {name: getattr(item, name) for name in (*PCR_SUMS, *PCR_CHANGES)} for item in metrics},
            filters={"denominator": "above 0, both for changes", "open_interest": "contracts"},
        )
        if explain
        else UNSET,
    )


def pooled_ratios(sums: dict[str, float]) -> dict[str, float | None]:
    return {
        "pcr_oi": number(put_call_ratio([sums["put_open_interest"]], [sums["call_open_interest"]]), "ratio"),
        "pcr_volume": number(put_call_ratio([sums["put_volume"]], [sums["call_volume"]]), "ratio"),
    }


def straddle(metrics: ChainMetrics, *, explain: bool) -> StraddleAnswer:
    return StraddleAnswer(
        **newest([metrics]),
        expiry=metrics.expiry,
        **{name: getattr(metrics, name) for name in STRADDLE_FIELDS},
        explain=explanation(
            "mid(C) + mid(P) at the strike nearest the forward, the lower one on a tie; _forward: linear in K at K = F",
            [metrics],
            filters={"quotes": "two-sided only"},
        )
        if explain
        else UNSET,
    )


def expected_move(metrics: Sequence[ChainMetrics], scope: Scope, *, explain: bool) -> ExpectedMoveAnswer:
    return ExpectedMoveAnswer(
        **newest(metrics),
        scope=scope,
        moves=[_move(item) for item in metrics],
        explain=explanation(
            f"1sd = F·σ·√T; straddle = ATM straddle; 85 = {RETAIL_FACTOR}·straddle",
            metrics,
            inputs={item.expiry: {name: getattr(item, name) for name in STRADDLE_FIELDS} for item in metrics},
        )
        if explain
        else UNSET,
    )


def _move(item: ChainMetrics) -> MoveOfExpiry:
    width, forward = item.expected_move_1sd, item.forward
    known = width is not None and forward is not None
    return MoveOfExpiry(
        **{name: getattr(item, name) for name in MoveOfExpiry.__struct_fields__ if name not in ("low", "high")},
        low=round(forward - width, 4) if known and forward is not None and width is not None else None,
        high=round(forward + width, 4) if known and forward is not None and width is not None else None,
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _change_ratio(changes: dict[str, float | None]) -> float | None:
    calls, puts = (changes[name] for name in PCR_CHANGES)
    if calls is None or puts is None or calls <= 0 or puts <= 0:
        return None
    return number(puts / calls, "ratio")
