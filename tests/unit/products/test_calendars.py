"""Dates published by the exchanges; each case names where its date is from."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.contracts.calendars import (
    expiry_dates,
    expiry_instant,
    is_open,
    is_trading_day,
    live_expiries,
    monthly_expiry,
    session,
)
from aro.contracts.products import PRODUCTS, product

NIFTY, SENSEX, SPY, AAPL = (product(name) for name in ("NIFTY", "SENSEX", "SPY", "AAPL"))


def d(text: str) -> date:
    return date.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("exchange", "day", "trading"),
    [
        ("NSE", "2022-04-14", False),  # NSE list of 2022: Mahavir and Ambedkar Jayanti
        ("NSE", "2022-03-28", True),
        ("NSE", "2026-01-15", False),  # circular FAOP/72262: municipal election
        ("NSE", "2026-02-01", True),  # circular FAOP/72352: a Sunday, budget day
        ("NSE", "2026-02-08", False),
        ("BSE", "2026-11-24", False),  # Guru Nanak Jayanti
        ("BSE", "2026-12-25", False),
        ("NSE", "2027-01-26", False),  # Republic Day, fixed by law
        ("US", "2026-06-19", False),  # Juneteenth
        ("US", "2026-07-03", False),  # Independence Day falls on a Saturday
        ("US", "2026-11-26", False),
        ("US", "2026-11-24", True),
        ("US", "2021-12-31", True),  # New Year's Day on a Saturday is not kept
        ("US", "2023-01-02", False),  # on a Sunday it is kept on Monday
        ("US", "2025-01-09", False),  # day of mourning for J. Carter
        ("US", "2024-03-29", False),  # Good Friday
    ],
)
def test_trading_days(exchange, day, trading):
    assert is_trading_day(exchange, d(day)) is trading


@pytest.mark.parametrize(
    ("year", "holidays"),
    [
        # nyse.com/markets/hours-calendars
        (2025, "0101 0109 0120 0217 0418 0526 0619 0704 0901 1127 1225"),
        (2026, "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225"),
        (2027, "0101 0118 0215 0326 0531 0618 0705 0906 1125 1224"),
    ],
)
def test_the_nyse_rules_give_its_published_lists(year, holidays):
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(365))
    closed = [day for day in days if day.weekday() < 5 and not is_trading_day("US", day)]
    assert [f"{day:%m%d}" for day in closed] == holidays.split()


@pytest.mark.parametrize(
    ("name", "today", "weeklies", "monthlies", "expected"),
    [
        # The live NIFTY list of the exchange's own option chain, 28-Mar-2022.
        (
            "NIFTY",
            "2022-03-28",
            10,
            4,
            "2022-03-31 2022-04-07 2022-04-13 2022-04-21 2022-04-28 2022-05-05 2022-05-12 2022-05-19 "
            "2022-05-26 2022-06-02 2022-06-30",
        ),
        # 24-Nov-2026 is a holiday, 26-Jan-2027 as well.
        ("NIFTY", "2026-11-22", 3, 3, "2026-11-23 2026-12-01 2026-12-08 2026-12-29 2027-01-25"),
        ("NIFTY", "2026-11-24", 1, 1, "2026-12-01 2026-12-29"),
        # Thursday to Tuesday in September 2025.
        ("NIFTY", "2025-08-20", 4, 2, "2025-08-21 2025-08-28 2025-09-02 2025-09-09 2025-09-30"),
        ("BANKNIFTY", "2026-11-22", 3, 3, "2026-11-23 2026-12-29 2027-01-25"),
        ("SENSEX", "2025-08-20", 3, 1, "2025-08-26 2025-09-04 2025-09-11"),
        # BSE notice 20251219-59: 26-Mar-2026 moved to 25-Mar-2026.
        ("SENSEX", "2026-03-20", 2, 1, "2026-03-25 2026-04-02"),
        # Juneteenth 2026 is the third Friday.
        ("SPY", "2026-06-16", 3, 1, "2026-06-16 2026-06-17 2026-06-18"),
        ("SPY", "2026-11-22", 4, 1, "2026-11-23 2026-11-24 2026-11-25 2026-11-27 2026-12-18"),
        # Martin Luther King day: the Monday contract moves forward, Friday has its own.
        ("AAPL", "2027-01-14", 3, 1, "2027-01-15 2027-01-19 2027-01-20"),
        ("AAPL", "2026-01-20", 3, 0, "2026-01-23 2026-01-26 2026-01-28"),
    ],
)
def test_expiries(name, today, weeklies, monthlies, expected):
    dates = expiry_dates(product(name), d(today), weeklies, monthlies)
    assert " ".join(day.isoformat() for day in dates) == expected


@pytest.mark.parametrize(
    ("name", "year", "month", "expected"),
    [
        ("NIFTY", 2022, 12, "2022-12-29"),
        ("NIFTY", 2025, 6, "2025-06-26"),
        ("NIFTY", 2026, 5, "2026-05-26"),
        ("NIFTY", 2026, 12, "2026-12-29"),
        ("NIFTY", 2026, 3, "2026-03-30"),  # the 31st is Mahavir Jayanti
        ("BANKNIFTY", 2024, 3, "2024-03-27"),
        ("FINNIFTY", 2024, 11, "2024-11-26"),
        ("MIDCPNIFTY", 2024, 9, "2024-09-30"),
        ("NIFTYNXT50", 2024, 5, "2024-05-31"),
        ("BANKEX", 2025, 3, "2025-03-25"),
        ("SENSEX", 2025, 9, "2025-09-25"),
        ("SPY", 2022, 4, "2022-04-14"),  # the 15th is Good Friday
    ],
)
def test_monthly_expiries(name, year, month, expected):
    assert monthly_expiry(product(name), year, month) == d(expected)


@pytest.mark.parametrize(
    ("name", "expiry", "instant"),
    [
        ("NIFTY", "2022-03-31", "2022-03-31T10:00"),
        ("NIFTY", "2026-07-28", "2026-07-28T10:00"),
        ("NIFTY", "2026-08-04", "2026-08-04T10:10"),
        ("SENSEX", "2026-12-31", "2026-12-31T10:10"),
        ("SPY", "2026-10-30", "2026-10-30T20:00"),
        ("SPY", "2026-11-25", "2026-11-25T21:00"),  # summer time is over
        ("AAPL", "2026-11-27", "2026-11-27T18:00"),  # the Friday after Thanksgiving closes at 13:00
    ],
)
def test_expiry_instants(name, expiry, instant):
    assert expiry_instant(product(name), d(expiry)) == utc(instant)


def test_session_hours():
    before, after = session(NIFTY, d("2026-07-31")), session(NIFTY, d("2026-08-03"))
    assert (before.open, before.close) == (utc("2026-07-31T03:45"), utc("2026-07-31T10:00"))
    assert (after.open, after.close) == (utc("2026-08-03T03:45"), utc("2026-08-03T10:10"))
    assert session(NIFTY, d("2026-11-24")) is None
    assert session(SPY, d("2026-12-24")).close == utc("2026-12-24T18:00")


def test_open_means_between_the_bells():
    assert not is_open(NIFTY, utc("2026-11-23T03:44:59"))
    assert is_open(NIFTY, utc("2026-11-23T03:45"))
    assert not is_open(NIFTY, utc("2026-11-23T10:10"))
    assert not is_open(NIFTY, utc("2026-11-22T05:00"))


def test_an_expired_contract_drops_out_at_its_instant():
    assert live_expiries(NIFTY, utc("2026-11-23T10:09:59"), 1, 0) == (d("2026-11-23"),)
    assert live_expiries(NIFTY, utc("2026-11-23T10:10"), 1, 0) == (d("2026-12-01"),)
    # 20:30 in New York is the next day in UTC, the same day at the exchange.
    assert live_expiries(SPY, utc("2026-11-24T01:30"), 1, 0) == (d("2026-11-24"),)


@given(
    name=st.sampled_from(sorted(PRODUCTS)),
    today=st.dates(d("2022-01-01"), d("2030-12-31")),
    weeklies=st.integers(0, 5),
    monthlies=st.integers(1, 4),
)
def test_expiries_are_ascending_trading_days_from_today_on(name, today, weeklies, monthlies):
    item = product(name)
    dates = expiry_dates(item, today, weeklies, monthlies)
    assert list(dates) == sorted(set(dates))
    assert monthlies <= len(dates) <= weeklies + monthlies
    assert all(day >= today and is_trading_day(item.exchange, day) for day in dates)
    assert all(session(item, day).close == expiry_instant(item, day) for day in dates)
