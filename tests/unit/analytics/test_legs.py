"""Contracts and spreads as people write them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_service.legs import LEGS_PATTERN, Contract, Leg, parse_legs, parse_symbol
from aro.contracts.problems import UnknownExpiry
from aro.contracts.symbols import contract_symbol

legs = st.builds(
    Leg,
    st.integers(1, 999) | st.integers(-999, -1),
    st.integers(1, 9_999_999).map(float) | st.sampled_from([202.5, 17.25]),
    st.sampled_from(["CE", "PE"]),
    st.none() | st.dates().filter(lambda day: 2000 <= day.year < 2100).map(str),
)


@given(st.lists(legs, min_size=1, max_size=8))
def test_what_is_written_is_read(written):
    text = ",".join(map(str, written))
    assert re.fullmatch(LEGS_PATTERN, text)
    assert parse_legs(text) == tuple(written)


@pytest.mark.parametrize(
    ("text", "leg"),
    [
        ("24500CE", Leg(1, 24500, "CE", None)),
        ("+24500CE", Leg(1, 24500, "CE", None)),
        (" 24500CE", Leg(1, 24500, "CE", None)),  # "+" of a query string
        ("-3x202.5PE@2026-12-29", Leg(-3, 202.5, "PE", "2026-12-29")),
    ],
)
def test_ways_to_write_a_leg(text, leg):
    assert re.fullmatch(LEGS_PATTERN, text)
    assert parse_legs(text) == (leg,)


@pytest.mark.parametrize("text", ["", "24500", "CE", "24500ce", "0x24500CE", "--1CE", "1CE;2CE", "1CE,", "1e3CE"])
def test_what_is_no_leg(text):
    assert not re.fullmatch(LEGS_PATTERN, text)


def test_an_expiry_that_is_no_date_is_unknown():
    with pytest.raises(UnknownExpiry):
        parse_legs("24500CE@2026-02-30")


@given(st.sampled_from(["NIFTY", "SPY"]), st.dates(), st.integers(1, 99_999).map(float), st.sampled_from(["CE", "PE"]))
def test_symbols_are_read(product, day, strike, option_type):
    expiry = day.isoformat()
    assert parse_symbol(contract_symbol(product, expiry, strike, option_type)) == Contract(
        product, expiry, strike, option_type
    )


@pytest.mark.parametrize("text", ["NIFTY", "DOGE-20261229-1-CE", "NIFTY-20260230-1-CE", "NIFTY-20261229-1-XX", ""])
def test_what_names_no_contract(text):
    assert parse_symbol(text) is None
