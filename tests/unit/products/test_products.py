from datetime import date

import pytest

from aro.contracts.problems import UnknownProduct
from aro.contracts.products import PRODUCTS, product


def test_all_products_are_listed():
    expected = "NIFTY BANKNIFTY FINNIFTY MIDCPNIFTY NIFTYNXT50 SENSEX BANKEX SPY AAPL"
    assert list(PRODUCTS) == expected.split()
    assert all(name == item.name for name, item in PRODUCTS.items())


@pytest.mark.parametrize("name", ["nifty", "", "DAX", "x" * 10_000])
def test_an_unknown_product_is_a_problem_with_a_short_detail(name):
    with pytest.raises(UnknownProduct) as caught:
        product(name)
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    ("name", "until_2025", "from_2026", "step"),
    [
        # Circular FAOP/70616.
        ("NIFTY", 75, 65, 50),
        ("BANKNIFTY", 35, 30, 100),
        ("FINNIFTY", 65, 60, 50),
        ("MIDCPNIFTY", 140, 120, 25),
        ("NIFTYNXT50", 25, 25, 100),
        ("SENSEX", 20, 20, 100),
        ("BANKEX", 30, 30, 100),
        ("SPY", 100, 100, 1),
        ("AAPL", 100, 100, 2.5),
    ],
)
def test_lots_change_with_the_contracts_of_january_2026(name, until_2025, from_2026, step):
    item = product(name)
    assert item.terms(date(2025, 12, 30)).contract_size == until_2025
    assert item.terms(date(2026, 1, 6)).contract_size == from_2026
    assert item.terms(date(2026, 1, 6)).strike_step == step


def test_older_lots():
    # Bid and ask quantities of the NSE capture of 28-Mar-2022 are multiples of 50.
    assert product("NIFTY").terms(date(2022, 3, 28)).contract_size == 50
    assert product("SENSEX").terms(date(2024, 12, 27)).contract_size == 10


def test_ticks():
    assert all(
        PRODUCTS[name].terms(date(2026, 12, 29)).tick_size == (0.01 if PRODUCTS[name].exchange == "US" else 0.05)
        for name in PRODUCTS
    )
    apple = product("AAPL").terms(date(2026, 12, 18))
    assert (apple.coarse_from, apple.coarse_tick) == (3.0, 0.05)
