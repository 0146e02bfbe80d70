"""Pure: how open interest changed since the previous close or over a window, and what class of build-up that is."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from msgspec import UNSET

from analytics_service.answers import (
    Explanation,
    OiBuildupAnswer,
    OiChangeAnswer,
    SideBuildup,
    SideChange,
)
from analytics_service.explained import explanation
from analytics_service.premiums import newest
from analytics_service.solved import array, column, number
from aro.contracts.analytics import EnrichedChain, EnrichedQuotes
from aro.quant.arrays import FloatArray
from aro.quant.open_interest import (
    NAMES,
    OI_DEAD_BAND,
    buildup,
    buildup_names,
    buildup_shares,
    delta_adjusted,
    put_call_change_ratio,
)

PriceMode = Literal["premium", "delta_adjusted"]
_SIDES: Final = ("calls", "puts")


class _Side(NamedTuple):
    price: FloatArray
    price_before: FloatArray
    interest: FloatArray
    interest_before: FloatArray
    delta: FloatArray

    @property
    def change(self) -> FloatArray:
        return self.interest - self.interest_before


def oi_change(chain: EnrichedChain, before: EnrichedChain | None, *, explain: bool) -> OiChangeAnswer:
    """`before` is the chain at the start of the window; None counts from the previous close."""
    calls, puts = (_side(chain, before, name) for name in _SIDES)
    total = put_call_change_ratio(puts.change, calls.change)
    return OiChangeAnswer(
        **newest([chain]),
        **_basis(chain, before),
        calls=_side_change(calls),
        puts=_side_change(puts),
        call_open_interest_change=float(total.calls),
        put_open_interest_change=float(total.puts),
        pcr_oi_change=number(total.ratio, "ratio"),
        explain=_explained("ΔOI = OI - OI at the basis, contracts", chain, before) if explain else UNSET,
    )


def oi_buildup(
    chain: EnrichedChain, before: EnrichedChain | None, price_mode: PriceMode, *, explain: bool
) -> OiBuildupAnswer:
    """`before` as in `oi_change`. ``delta_adjusted`` takes what the underlying's move explains off each premium's."""
    moved = np.nan if before is None else chain.spot - before.spot
    return OiBuildupAnswer(
        **newest([chain]),
        **_basis(chain, before),
        price_mode=price_mode,
        calls=_side_buildup(_side(chain, before, "calls"), chain.tick_size, moved, price_mode),
        puts=_side_buildup(_side(chain, before, "puts"), chain.tick_size, moved, price_mode),
        explain=_explained("classes by the signs of Δprice and ΔOI of each contract", chain, before)
        if explain
        else UNSET,
    )


def _side(chain: EnrichedChain, before: EnrichedChain | None, name: str) -> _Side:
    quotes: EnrichedQuotes = getattr(chain, name)
    price, interest, delta = array(quotes.ltp), array(quotes.open_interest), array(quotes.delta)
    if before is None:
        return _Side(price, array(quotes.prev_close), interest, interest - array(quotes.open_interest_change), delta)
    earlier: EnrichedQuotes = getattr(before, name)
    return _Side(
        price,
        _aligned(chain.strikes, before.strikes, earlier.ltp),
        interest,
        _aligned(chain.strikes, before.strikes, earlier.open_interest),
        _aligned(chain.strikes, before.strikes, earlier.delta),
    )


def _aligned(strikes: Sequence[float], before: Sequence[float], values: Sequence[float | None]) -> FloatArray:
    """Values at `strikes`; NaN where a strike was not listed then."""
    known = dict(zip(before, values, strict=True))
    return array([known.get(strike) for strike in strikes])


def _side_change(side: _Side) -> SideChange:
    return SideChange(
        open_interest=column(side.interest, "price"),
        open_interest_before=column(side.interest_before, "price"),
        open_interest_change=column(side.change, "price"),
    )


def _side_buildup(side: _Side, tick_size: float, moved: float, price_mode: PriceMode) -> SideBuildup:
    premium = side.price - side.price_before
    change = premium if price_mode == "premium" else delta_adjusted(premium, side.delta, moved)
    # The classes depend on the change alone, so an adjusted change is one from an adjusted price before.
    price_before = side.price_before if price_mode == "premium" else side.price - change
    codes = buildup(side.price, price_before, side.interest, side.interest_before, tick_size)
    shares = buildup_shares(codes, side.change)
    return SideBuildup(
        price=column(side.price, "price"),
        price_before=column(side.price_before, "price"),
        price_change=column(change, "price"),
        open_interest=column(side.interest, "price"),
        open_interest_change=column(side.change, "price"),
        buildup=list(buildup_names(codes.tolist())),
        shares=None
        if np.isnan(shares).any()
        else dict(zip(map(str, NAMES), np.round(shares, 6).tolist(), strict=True)),
    )


def _basis(chain: EnrichedChain, before: EnrichedChain | None) -> dict[str, Any]:
    return {
        "expiry": chain.expiry,
        "basis": "prev_close" if before is None else "window",
        "from_ts": before.source_ts if before else None,
        "from_time": before.source_time if before else None,
        "strikes": chain.strikes,
    }


def _explained(formula: str, chain: EnrichedChain, before: EnrichedChain | None) -> Explanation:
    return explanation(
        formula,
        [chain] if before is None else [before, chain],
        inputs={"open_interest_units": chain.open_interest_units, "price": "ltp"},
        filters={"neutral_price_change_below": chain.tick_size, "neutral_open_interest_change_below": OI_DEAD_BAND},
    )
