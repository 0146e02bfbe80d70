"""Universes: lists of products, beside those of `aro.contracts.products`, that a platform knows if it is told to.

They become known when a process loads its settings, see `aro.runtime.settings.load`.
"""

import json
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from aro.contracts.terms import ALWAYS, THURSDAY, TUESDAY, MonthlyRule, Product, Terms

UNIVERSES: Final = ("listed", "nse")
"""``listed`` is no more than `aro.contracts.products` lists."""

_RATE: Final = 0.065
_DIVIDEND_YIELD: Final = 0.01
_MONTHLY: Final = (
    MonthlyRule(ALWAYS, "last", THURSDAY),
    MonthlyRule(date(2025, 9, 1), "last", TUESDAY),
)
"""Stock options of the NSE expire with its index options' monthlies (SEBI's expiry-day decision of June 2025)."""


class Underlying(NamedTuple):
    """A line of the data file. `spot` and `volatility` (annual decimal) are levels to start a market from."""

    name: str
    spot: float
    lot: int
    strike_step: float
    volatility: float


@cache
def underlyings() -> tuple[Underlying, ...]:
    """The made-up stocks of universe ``nse``; the file says how they were made."""
    text = files("aro.contracts").joinpath("universe_nse.json").read_text(encoding="utf-8")
    return tuple(Underlying(*line) for line in json.loads(text)["underlyings"])


def universe_products(universe: str) -> tuple[Product, ...]:
    """What `universe` adds. Raises ValueError for a name that is none."""
    if universe not in UNIVERSES:
        raise ValueError(f"must be one of {', '.join(UNIVERSES)}, not {universe[:40]!r}")
    return tuple(_product(line) for line in underlyings()) if universe == "nse" else ()


def _product(line: Underlying) -> Product:
    return Product(
        name=line.name,
        description=f"Made-up stock {line.name}, for load",
        exchange="NSE",
        currency="INR",
        timezone="Asia/Kolkata",
        exercise_style="european",
        rate=_RATE,
        dividend_yield=_DIVIDEND_YIELD,
        weekly=(),
        monthly=_MONTHLY,
        history=(Terms(ALWAYS, line.lot, 0.05, line.strike_step),),
    )
