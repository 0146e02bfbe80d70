import math

import numpy as np
import pytest

from aro.quant.black import price
from aro.quant.variance_index import Term, choose_terms, index, strip

NAN = math.nan
K = np.arange(50.0, 200.5, 0.5)
YEARS, RATE, FORWARD, SIGMA = 30 / 365, 0.05, 101.0, 0.2


def quotes(half: float = 0.0) -> list[np.ndarray]:
    D = math.exp(-RATE * YEARS)
    call, put = (price(FORWARD, K, YEARS, SIGMA, D, side) for side in (True, False))
    return [side + sign * half for side in (call, put) for sign in (-1, 1)]


@pytest.mark.parametrize("method", ["cboe", "india"])
def test_a_flat_smile_gives_its_variance(method: str) -> None:
    found = strip(K, *quotes(), YEARS, RATE, method=method, future=FORWARD)
    assert found.forward == pytest.approx(FORWARD)
    assert math.sqrt(found.variance) == pytest.approx(SIGMA, rel=2e-3)
    assert index(Term(YEARS, SIGMA**2), Term(2 * YEARS, SIGMA**2)) == pytest.approx(20.0)


def test_two_zero_bids_end_the_strip_and_one_does_not() -> None:
    c_bid, c_ask, p_bid, p_ask = quotes()
    at = int(np.flatnonzero(K == 110.0)[0])
    one, two = c_bid.copy(), c_bid.copy()
    one[at] = 0.0
    two[at : at + 2] = NAN
    assert 110.0 not in strip(K, one, c_ask, p_bid, p_ask, YEARS, RATE).strikes
    assert strip(K, one, c_ask, p_bid, p_ask, YEARS, RATE).strikes[-1] > 110.0
    assert strip(K, two, c_ask, p_bid, p_ask, YEARS, RATE).strikes[-1] == 109.5


def test_india_takes_the_future_and_fills_bad_quotes() -> None:
    c_bid, c_ask, p_bid, p_ask = quotes()
    at = int(np.flatnonzero(K == 105.0)[0])
    wide = c_ask.copy()
    wide[at] *= 3
    plain = strip(K, c_bid, c_ask, p_bid, p_ask, YEARS, RATE, method="india", future=101.3)
    filled = strip(K, c_bid, wide, p_bid, p_ask, YEARS, RATE, method="india", future=101.3)
    assert (plain.forward, plain.at_strike) == (101.3, 101.0)
    assert filled.variance == pytest.approx(plain.variance, rel=1e-5)
    assert strip(K, c_bid, wide, p_bid, p_ask, YEARS, RATE).variance > plain.variance * 1.001


@pytest.mark.filterwarnings("error")
def test_without_quotes_there_is_no_variance() -> None:
    none = np.full(len(K), NAN)
    for method in ("cboe", "india"):
        assert math.isnan(strip(K, none, none, none, none, YEARS, RATE, method=method).variance)
        assert math.isnan(strip(K[:0], *([K[:0]] * 4), YEARS, RATE, method=method).variance)
        assert math.isnan(strip(K, *quotes(), 0.0, RATE, method=method).variance)
        assert math.isnan(strip(K, *quotes(), YEARS, NAN, method=method).variance)
    assert math.isnan(strip(K[:2], *(q[:2] for q in quotes()), YEARS, RATE).variance)


def test_an_index_needs_two_terms_and_a_variance_above_zero() -> None:
    assert math.isnan(index(Term(YEARS, 0.04), Term(YEARS, 0.04)))
    assert math.isnan(index(Term(YEARS, -0.04), Term(2 * YEARS, -0.04)))
    assert math.isnan(index(Term(YEARS, NAN), Term(2 * YEARS, 0.04)))


@pytest.mark.parametrize(
    ("method", "days", "chosen"),
    [
        ("cboe", [3, 10, 17, 24, 31, 38], (3, 4)),  # both between 23 and 37 days
        ("cboe", [31, 24, 3], (1, 0)),
        ("cboe", [8, 36, 64], (0, 1)),  # no weeklies: whatever brackets 30 days
        ("cboe", [5, 12], None),
        ("cboe", [40, 70], None),
        ("cboe", [0, -1, 40], None),
        ("india", [2, 30, 58], (1, 2)),
        ("india", [10, 40, 70], (0, 1)),
        ("india", [34, 62], (0, 1)),
        ("india", [1, 40], None),
    ],
)  # fmt: skip
def test_which_expiries(method: str, days: list[int], chosen: tuple[int, int] | None) -> None:
    assert choose_terms([day / 365 for day in days], method) == chosen
