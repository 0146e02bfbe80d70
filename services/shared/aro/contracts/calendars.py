"""When exchanges trade and when contracts expire.

India: NSE and BSE close on the same days. Their published lists are kept for 2022 to 2026, that is until
`INDIA_HOLIDAYS_KNOWN_UNTIL`; outside them only the holidays that fall on a fixed date (and Good Friday) are
known, so an expiry of 2027 may still move by a day when the list of 2027 is published (each December).
Full sessions on weekends (budget days) are kept for 2025 and 2026; the one-hour muhurat sessions are not
trading days here. Sources: NSE circulars CMTR/71775 and FAOP/72262 (2026) and their predecessors.
United States: the NYSE's rules, its early closes, and its days of mourning since 2022.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from aro.contracts.products import FRIDAY, MONDAY, THURSDAY, Exchange, MonthlyRule, Product

_DAY: Final = timedelta(days=1)

INDIA_HOLIDAYS_KNOWN_UNTIL: Final = date(2026, 12, 31)
_INDIA_PUBLISHED: Final = {
    2022: "0126 0301 0318 0414 0415 0503 0809 0815 0831 1005 1024 1026 1108",
    2023: "0126 0307 0330 0404 0407 0414 0501 0629 0815 0919 1002 1024 1114 1127 1225",
    2024: "0122 0126 0308 0325 0329 0411 0417 0501 0520 0617 0717 0815 1002 1101 1115 1120 1225",
    2025: "0226 0314 0331 0410 0414 0418 0501 0815 0827 1002 1021 1022 1105 1225",
    2026: "0115 0126 0303 0326 0331 0403 0414 0501 0528 0626 0914 1002 1020 1110 1124 1225",
}
_INDIA_FIXED: Final = ((1, 26), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25))
_INDIA_WEEKEND_SESSIONS: Final = frozenset({date(2025, 2, 1), date(2026, 2, 1)})
_INDIA_OPEN: Final = time(9, 15)
_INDIA_CLOSES: Final = ((date.min, time(15, 30)), (date(2026, 8, 3), time(15, 40)))
"""Derivatives trade ten minutes longer since the closing auction session began."""

_US_OPEN: Final = time(9, 30)
_US_CLOSE: Final = time(16, 0)
_US_EARLY_CLOSE: Final = time(13, 0)
_US_MOURNING: Final = frozenset({date(2025, 1, 9)})
_JUNETEENTH_SINCE: Final = 2022


@dataclass(frozen=True, slots=True)
class Session:
    """One day's trading, aware UTC."""

    open: datetime
    close: datetime


def is_trading_day(exchange: Exchange, day: date) -> bool:
    if exchange == "US":
        return day.weekday() <= FRIDAY and day not in _us_holidays(day.year)
    if day in _INDIA_WEEKEND_SESSIONS:
        return True
    return day.weekday() <= FRIDAY and day not in _india_holidays(day.year)


def session(product: Product, day: date) -> Session | None:
    """Trading hours of options on the exchange's calendar day `day`; None when it is closed."""
    if not is_trading_day(product.exchange, day):
        return None
    opens = _US_OPEN if product.exchange == "US" else _INDIA_OPEN
    return Session(_utc(product, day, opens), _utc(product, day, _close(product.exchange, day)))


def is_open(product: Product, now: datetime) -> bool:
    hours = session(product, local_day(product, now))
    return hours is not None and hours.open <= now < hours.close


def local_day(product: Product, now: datetime) -> date:
    """The exchange's calendar day at the instant `now` (aware)."""
    return now.astimezone(ZoneInfo(product.timezone)).date()


def previous_trading_day(exchange: Exchange, day: date) -> date:
    """`day` itself if it trades, else the last trading day before it."""
    while not is_trading_day(exchange, day):
        day -= _DAY
    return day


def expiry_instant(product: Product, expiry: date) -> datetime:
    """The instant to which time value is counted, aware UTC: the close of trading on the day of expiry.

    `expiry` need not be a trading day: labels of old captures may name a day that was moved since.
    """
    return _utc(product, expiry, _close(product.exchange, expiry))


def expiry_dates(product: Product, today: date, weeklies: int, monthlies: int) -> tuple[date, ...]:
    """The next `weeklies` weekly and `monthlies` monthly expiries from `today` on (included), ascending.

    A weekly that is also the monthly counts for both and appears once, so the result may be shorter than
    `weeklies` + `monthlies`. `today` is the exchange's day, see `local_day`.
    """
    weekly = _first(_weekly_expiries(product, today, weeks=weeklies + 2), today, weeklies)
    monthly = _first(_monthly_expiries(product, today, months=monthlies + 2), today, monthlies)
    return tuple(sorted({*weekly, *monthly}))


def live_expiries(product: Product, now: datetime, weeklies: int, monthlies: int) -> tuple[date, ...]:
    """`expiry_dates` of the contracts that have not expired at `now`: today's drop out at their instant."""
    today = local_day(product, now)
    if now >= expiry_instant(product, today):
        today += _DAY
    return expiry_dates(product, today, weeklies, monthlies)


def _utc(product: Product, day: date, at: time) -> datetime:
    return datetime.combine(day, at, ZoneInfo(product.timezone)).astimezone(UTC)


def _close(exchange: Exchange, day: date) -> time:
    if exchange == "US":
        return _US_EARLY_CLOSE if _is_us_early_close(day) else _US_CLOSE
    return [close for since, close in _INDIA_CLOSES if since <= day][-1]


# --- Expiry cycles -------------------------------------------------------------------------
def _first(candidates: Iterator[date], today: date, count: int) -> list[date]:
    return sorted({day for day in candidates if day >= today})[:count]


def _weekly_expiries(product: Product, today: date, weeks: int) -> Iterator[date]:
    # A week back as well: a holiday may have moved what was due yesterday to nowhere later than today.
    for offset in range(-7, 7 * weeks):
        nominal = today + offset * _DAY
        weekdays = next((rule.weekdays for rule in reversed(product.weekly) if rule.since <= nominal), ())
        if nominal.weekday() in weekdays:
            yield _settled(product, nominal)


def _monthly_expiries(product: Product, today: date, months: int) -> Iterator[date]:
    for offset in range(months):
        month = today.month - 1 + offset
        yield monthly_expiry(product, today.year + month // 12, month % 12 + 1)


def monthly_expiry(product: Product, year: int, month: int) -> date:
    nominal = [day for rule in product.monthly if (day := _nominal_monthly(rule, year, month)) >= rule.since][-1]
    return previous_trading_day(product.exchange, nominal)


def _nominal_monthly(rule: MonthlyRule, year: int, month: int) -> date:
    if rule.which == "third":
        return _nth(year, month, rule.weekday, 3)
    return _last(year, month, rule.weekday)


def _settled(product: Product, nominal: date) -> date:
    """The day on which a contract due on `nominal` expires: the previous trading day.

    Only US Monday contracts move forward, because the Friday before them has its own.
    """
    if product.exchange == "US" and nominal.weekday() == MONDAY:
        while not is_trading_day(product.exchange, nominal):
            nominal += _DAY
        return nominal
    return previous_trading_day(product.exchange, nominal)


# --- Holidays ------------------------------------------------------------------------------
@cache
def _india_holidays(year: int) -> frozenset[date]:
    published = _INDIA_PUBLISHED.get(year)
    if published is not None:
        return frozenset(date(year, int(day[:2]), int(day[2:])) for day in published.split())
    return frozenset({*(date(year, month, day) for month, day in _INDIA_FIXED), _easter(year) - 2 * _DAY})


@cache
def _us_holidays(year: int) -> frozenset[date]:
    """NYSE rule 7.2: a holiday on Saturday is kept on Friday, one on Sunday on Monday.

    New Year's Day on a Saturday is not kept at all, because 31 December ends the accounting year.
    """
    days = {
        _nth(year, 1, MONDAY, 3),  # Martin Luther King Jr.
        _nth(year, 2, MONDAY, 3),  # Washington
        _easter(year) - 2 * _DAY,  # Good Friday
        _last(year, 5, MONDAY),  # Memorial Day
        _observed(date(year, 7, 4)),
        _nth(year, 9, MONDAY, 1),  # Labor Day
        _nth(year, 11, THURSDAY, 4),  # Thanksgiving
        _observed(date(year, 12, 25)),
    }
    new_year = date(year, 1, 1)
    if _observed(new_year).year == year:
        days.add(_observed(new_year))
    if year >= _JUNETEENTH_SINCE:
        days.add(_observed(date(year, 6, 19)))
    return frozenset(days) | _US_MOURNING


def _is_us_early_close(day: date) -> bool:
    """13:00 on the Friday after Thanksgiving, on 24 December and on 3 July when the holiday follows."""
    if (day.month, day.day) in {(7, 3), (12, 24)}:
        return is_trading_day("US", day)
    return day == _nth(day.year, 11, THURSDAY, 4) + _DAY


def _observed(day: date) -> date:
    return day + {5: -_DAY, 6: _DAY}.get(day.weekday(), timedelta())


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _last(year: int, month: int, weekday: int) -> date:
    end = date(year + month // 12, month % 12 + 1, 1) - _DAY
    return end - timedelta(days=(end.weekday() - weekday) % 7)


def _easter(year: int) -> date:
    """Gregorian Easter Sunday (Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    lunar = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * lunar) // 451
    month, day = divmod(h + lunar - 7 * m + 114, 31)
    return date(year, month, day + 1)
