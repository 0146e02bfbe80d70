"""Reference data of every product: what is traded, in which lots, steps and ticks, and on which weekdays it expires.

Everything that an exchange has changed, or may, is effective-dated.
Sources: NSE and BSE contract specifications and circulars (FAOP/70616 for the lots of January 2026, SEBI's
expiry-day decision of June 2025), and the US exchanges' short-term option rules. Lots before 2022 are not kept.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final, Literal

from aro.contracts.problems import UnknownProduct
from aro.contracts.terms import (
    ALWAYS,
    FRIDAY,
    MONDAY,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    Exchange,
    ExerciseStyle,
    MonthlyRule,
    Product,
    Terms,
    WeeklyRule,
)

__all__ = [
    "ALWAYS",
    "FRIDAY",
    "MONDAY",
    "PRODUCTS",
    "THURSDAY",
    "TUESDAY",
    "WEDNESDAY",
    "Exchange",
    "ExerciseStyle",
    "MonthlyRule",
    "Product",
    "Terms",
    "WeeklyRule",
    "list_also",
    "product",
]

_LOTS_OF_2024: Final = date(2024, 4, 26)
_LOTS_OF_2025: Final = date(2025, 1, 1)
_LOTS_OF_JULY_2025: Final = date(2025, 7, 1)
_LOTS_OF_2026: Final = date(2025, 12, 31)
"""Contracts expiring up to 30 December 2025 kept their old lots."""
_ONE_DAY_PER_EXCHANGE: Final = date(2025, 9, 1)
"""SEBI: contracts expiring from here on expire on Tuesday (NSE) or Thursday (BSE) only."""
_ONE_WEEKLY_PER_EXCHANGE: Final = date(2024, 11, 20)

_INDIA_RATE: Final = 0.065
_US_RATE: Final = 0.04


def _lots(tick: float, step: float, *lots: tuple[date, int]) -> tuple[Terms, ...]:
    return tuple(Terms(since, size, tick, step) for since, size in lots)


def _india(
    name: str,
    description: str,
    exchange: Literal["NSE", "BSE"],
    dividend_yield: float,
    weekly: tuple[WeeklyRule, ...],
    monthly: tuple[MonthlyRule, ...],
    history: tuple[Terms, ...],
) -> Product:
    return Product(
        name=name,
        description=description,
        exchange=exchange,
        currency="INR",
        timezone="Asia/Kolkata",
        exercise_style="european",
        rate=_INDIA_RATE,
        dividend_yield=dividend_yield,
        weekly=weekly,
        monthly=monthly,
        history=history,
    )


def _united_states(
    name: str, description: str, dividend_yield: float, weekly: tuple[WeeklyRule, ...], terms: Terms
) -> Product:
    return Product(
        name=name,
        description=description,
        exchange="US",
        currency="USD",
        timezone="America/New_York",
        exercise_style="american",
        rate=_US_RATE,
        dividend_yield=dividend_yield,
        weekly=weekly,
        monthly=(MonthlyRule(ALWAYS, "third", FRIDAY),),
        history=(terms,),
    )


def _nse_monthly(*before_2025: MonthlyRule) -> tuple[MonthlyRule, ...]:
    return (
        *before_2025,
        MonthlyRule(date(2025, 1, 1), "last", THURSDAY),
        MonthlyRule(_ONE_DAY_PER_EXCHANGE, "last", TUESDAY),
    )


_ALL: Final = (
    _india(
        "NIFTY",
        "Nifty 50 index",
        "NSE",
        0.012,
        (WeeklyRule(date(2019, 2, 11), (THURSDAY,)), WeeklyRule(_ONE_DAY_PER_EXCHANGE, (TUESDAY,))),
        _nse_monthly(MonthlyRule(ALWAYS, "last", THURSDAY)),
        _lots(0.05, 50.0, (ALWAYS, 50), (_LOTS_OF_2024, 25), (_LOTS_OF_2025, 75), (_LOTS_OF_2026, 65)),
    ),
    _india(
        "BANKNIFTY",
        "Nifty Bank index",
        "NSE",
        0.008,
        # From September 2023 to February 2024 the monthly (Thursday) stood in for the Wednesday of its week.
        (
            WeeklyRule(date(2016, 5, 27), (THURSDAY,)),
            WeeklyRule(date(2023, 9, 4), (WEDNESDAY,)),
            WeeklyRule(_ONE_WEEKLY_PER_EXCHANGE, ()),
        ),
        _nse_monthly(MonthlyRule(ALWAYS, "last", THURSDAY), MonthlyRule(date(2024, 3, 1), "last", WEDNESDAY)),
        _lots(
            0.05,
            100.0,
            (ALWAYS, 25),
            (date(2023, 7, 1), 15),
            (_LOTS_OF_2025, 30),
            (_LOTS_OF_JULY_2025, 35),
            (_LOTS_OF_2026, 30),
        ),
    ),
    _india(
        "FINNIFTY",
        "Nifty Financial Services index",
        "NSE",
        0.009,
        (
            WeeklyRule(date(2021, 1, 11), (THURSDAY,)),
            WeeklyRule(date(2021, 10, 18), (TUESDAY,)),
            WeeklyRule(_ONE_WEEKLY_PER_EXCHANGE, ()),
        ),
        _nse_monthly(MonthlyRule(ALWAYS, "last", TUESDAY)),
        _lots(0.05, 50.0, (ALWAYS, 40), (_LOTS_OF_2024, 25), (_LOTS_OF_2025, 65), (_LOTS_OF_2026, 60)),
    ),
    _india(
        "MIDCPNIFTY",
        "Nifty Midcap Select index",
        "NSE",
        0.008,
        (
            WeeklyRule(date(2022, 1, 24), (TUESDAY,)),
            WeeklyRule(date(2023, 6, 5), (WEDNESDAY,)),
            WeeklyRule(date(2023, 8, 21), (MONDAY,)),
            WeeklyRule(_ONE_WEEKLY_PER_EXCHANGE, ()),
        ),
        _nse_monthly(
            MonthlyRule(ALWAYS, "last", TUESDAY),
            MonthlyRule(date(2023, 6, 5), "last", WEDNESDAY),
            MonthlyRule(date(2023, 8, 21), "last", MONDAY),
        ),
        _lots(
            0.05,
            25.0,
            (ALWAYS, 75),
            (_LOTS_OF_2024, 50),
            (_LOTS_OF_2025, 120),
            (_LOTS_OF_JULY_2025, 140),
            (_LOTS_OF_2026, 120),
        ),
    ),
    _india(
        "NIFTYNXT50",
        "Nifty Next 50 index",
        "NSE",
        0.010,
        (),
        _nse_monthly(MonthlyRule(ALWAYS, "last", FRIDAY)),
        _lots(0.05, 100.0, (ALWAYS, 10), (_LOTS_OF_2025, 25)),
    ),
    _india(
        "SENSEX",
        "S&P BSE Sensex index",
        "BSE",
        0.011,
        (
            WeeklyRule(date(2023, 5, 15), (FRIDAY,)),
            WeeklyRule(date(2025, 1, 1), (TUESDAY,)),
            WeeklyRule(_ONE_DAY_PER_EXCHANGE, (THURSDAY,)),
        ),
        (
            MonthlyRule(ALWAYS, "last", FRIDAY),
            MonthlyRule(date(2025, 1, 1), "last", TUESDAY),
            MonthlyRule(_ONE_DAY_PER_EXCHANGE, "last", THURSDAY),
        ),
        _lots(0.05, 100.0, (ALWAYS, 10), (_LOTS_OF_2025, 20)),
    ),
    _india(
        "BANKEX",
        "S&P BSE Bankex index",
        "BSE",
        0.008,
        (
            WeeklyRule(date(2023, 5, 15), (FRIDAY,)),
            WeeklyRule(date(2023, 10, 16), (MONDAY,)),
            WeeklyRule(_ONE_WEEKLY_PER_EXCHANGE, ()),
        ),
        (
            MonthlyRule(ALWAYS, "last", FRIDAY),
            MonthlyRule(date(2023, 10, 16), "last", MONDAY),
            MonthlyRule(date(2025, 1, 1), "last", TUESDAY),
            MonthlyRule(_ONE_DAY_PER_EXCHANGE, "last", THURSDAY),
        ),
        _lots(0.05, 100.0, (ALWAYS, 15), (_LOTS_OF_2025, 30)),
    ),
    _united_states(
        "SPY",
        "SPDR S&P 500 ETF Trust",
        0.012,
        (
            WeeklyRule(ALWAYS, (MONDAY, WEDNESDAY, FRIDAY)),
            WeeklyRule(date(2022, 11, 14), (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)),
        ),
        Terms(ALWAYS, 100, 0.01, 1.0),
    ),
    _united_states(
        "AAPL",
        "Apple Inc.",
        0.004,
        # Wednesdays on which Apple reports are skipped by the exchanges; that is not known in advance here.
        (WeeklyRule(ALWAYS, (FRIDAY,)), WeeklyRule(date(2026, 1, 26), (MONDAY, WEDNESDAY, FRIDAY))),
        Terms(ALWAYS, 100, 0.01, 2.5, coarse_from=3.0, coarse_tick=0.05),
    ),
)

_LISTED: Final = {item.name: item for item in _ALL}
PRODUCTS: Final[Mapping[str, Product]] = MappingProxyType(_LISTED)


def list_also(products: Iterable[Product]) -> None:
    """Make `products` known to this process, for good. To be called before anything is served."""
    _LISTED.update({item.name: item for item in products})


def product(name: str) -> Product:
    """Raises `UnknownProduct` if no such product is listed."""
    found = PRODUCTS.get(name)
    if found is None:
        raise UnknownProduct(f"{name[:40]!r} is not a product; known are {', '.join(PRODUCTS)}")
    return found
