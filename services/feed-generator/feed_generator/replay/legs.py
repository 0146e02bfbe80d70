"""One contract's entry (``CE`` or ``PE``) in an answer of NSE."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aro.contracts.market import (
    FLAG_CROSSED,
    FLAG_FRACTIONAL_OI,
    FLAG_NEVER_TRADED,
    FLAG_NO_ASK,
    FLAG_NO_BID,
    FLAG_NOT_LISTED,
    Quotes,
)


class BadRow(Exception):
    """This part of a capture cannot be used; the text says why, in a few words that repeat."""


def number(mapping: Mapping[str, Any], *names: str) -> float:
    """The first of `names` that is present, as a finite number.

    Raises
    ------
    BadRow
        If none is, or it is something else.
    """
    for name in names:
        if name in mapping:
            value = mapping[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise BadRow(f"{name} is no number")
            return float(value)
    raise BadRow(f"{names[0]} is missing")


@dataclass(frozen=True, slots=True)
class Leg:
    """What the exchange said of one contract; None means "nothing", `flags` why. Quantities as it gives them."""

    bid: float | None = None
    ask: float | None = None
    bid_quantity: float | None = None
    ask_quantity: float | None = None
    ltp: float | None = None
    prev_close: float | None = None
    volume: float | None = None
    open_interest: float | None = None
    open_interest_change: float | None = None
    flags: int = FLAG_NOT_LISTED

    @classmethod
    def read(cls, leg: Any, underlying: str) -> "Leg":
        """Raises `BadRow` if a field is missing, no number or negative where that makes no sense."""
        if leg is None:
            return cls()
        if not isinstance(leg, dict) or leg.get("underlying", underlying) != underlying:
            raise BadRow("leg is no contract of this product")
        bid, ask = _amount(leg, "bidprice", "buyPrice1"), _amount(leg, "askPrice", "sellPrice1")
        ltp, interest = _amount(leg, "lastPrice"), _amount(leg, "openInterest")
        is_crossed = 0 < ask < bid
        # Half contracts are real: a contract's lot was halved while it was open. Kept, because the exchange's
        # own totals contain them, and flagged.
        is_whole = interest == int(interest)
        has_bid, has_ask = bid > 0 and not is_crossed, ask > 0 and not is_crossed
        flags = (
            (0 if bid > 0 else FLAG_NO_BID)
            | (0 if ask > 0 else FLAG_NO_ASK)
            | (FLAG_CROSSED if is_crossed else 0)
            | (0 if ltp > 0 else FLAG_NEVER_TRADED)
            | (0 if is_whole else FLAG_FRACTIONAL_OI)
        )
        return cls(
            bid=bid if has_bid else None,
            ask=ask if has_ask else None,
            bid_quantity=_amount(leg, "bidQty", "buyQuantity1") if has_bid else None,
            ask_quantity=_amount(leg, "askQty", "sellQuantity1") if has_ask else None,
            ltp=ltp if ltp > 0 else None,
            prev_close=_prev_close(ltp, number(leg, "change")),
            volume=_amount(leg, "totalTradedVolume"),
            open_interest=interest,
            open_interest_change=number(leg, "changeinOpenInterest"),
            flags=flags,
        )


def quotes(legs: Sequence[Leg], contract_size: int) -> Quotes:
    """Columns in the order of `legs`; quantities become contracts."""
    return Quotes(
        bid=[leg.bid for leg in legs],
        ask=[leg.ask for leg in legs],
        bid_size=[_contracts(leg.bid_quantity, contract_size) for leg in legs],
        ask_size=[_contracts(leg.ask_quantity, contract_size) for leg in legs],
        ltp=[leg.ltp for leg in legs],
        prev_close=[leg.prev_close for leg in legs],
        volume=[leg.volume for leg in legs],
        open_interest=[leg.open_interest for leg in legs],
        open_interest_change=[leg.open_interest_change for leg in legs],
        flags=[leg.flags for leg in legs],
    )


def _amount(leg: Mapping[str, Any], *names: str) -> float:
    value = number(leg, *names)
    if value < 0:
        raise BadRow(f"{names[0]} is negative")
    return value


def _prev_close(ltp: float, change: float) -> float | None:
    """The exchange gives the change since it; without a trade it gives 0 for both."""
    close = round(ltp - change, 2)
    return close if ltp > 0 and close > 0 else None


def _contracts(quantity: float | None, contract_size: int) -> float | None:
    return None if quantity is None else quantity / contract_size
