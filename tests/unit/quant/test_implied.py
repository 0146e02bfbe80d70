"""Implied volatility: it inverts the price, says why when it cannot, and is as exact as float64 lets it be."""

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aro.contracts.analytics import IvStatus as IvStatusName
from aro.quant import implied, reference
from aro.quant.black import price
from aro.quant.implied import IvStatus, implied_volatility, status_names
from aro.quant.normalised import normalised

pytestmark = pytest.mark.usefixtures("each_kernel")

EPS = 2.0**-52
TARGET = 1e-12
"""Relative error allowed out of the money for σ√T in 1e-4 … 4 and |ln F/K| <= 3."""


def one(*arguments: Any) -> tuple[float, IvStatus]:
    solved = implied_volatility(*arguments)
    return float(solved.iv), IvStatus(int(solved.status))


@pytest.mark.parametrize("k", [-3, -1, -0.2, -0.01, -1e-5, 0, 1e-8, 1e-3, 0.05, 0.5, 0.999, 1.5, 3])
def test_out_of_the_money_precision(oracle: Any, k: float) -> None:
    F, T, D = 17_037.0, 0.25, 0.98
    K = F * math.exp(k)
    is_call = K >= F
    s = np.geomspace(1e-4, 4, 80)
    prices = np.array([float(oracle.price(F, K, T, 2 * value, D, is_call)) for value in s])
    usable = prices > 1e-290
    solved = implied_volatility(prices[usable], F, K, T, D, is_call)
    assert (solved.status == IvStatus.OK).all()
    for premium, near, sigma in zip(prices[usable], 2 * s[usable], solved.iv, strict=True):
        exact = oracle.volatility(premium, F, K, T, D, is_call, near)
        assert abs(sigma - exact) <= TARGET * exact


volatilities = st.tuples(
    st.floats(1e-2, 1e6), st.floats(-3, 3), st.floats(1e-5, 5), st.floats(1e-4, 4), st.floats(0.5, 1.1)
)


@given(volatilities, st.booleans())
def test_inverts_price(contract: tuple[float, ...], is_call: bool) -> None:
    F, k, T, s, D = contract
    sigma = s / math.sqrt(T)
    K = F * math.exp(k)
    premium = float(price(F, K, T, sigma, D, is_call))
    out = float(price(F, K, T, sigma, D, F <= K))
    assume(out > 1e-290)
    found, status = one(premium, F, K, T, D, is_call)
    if status is IvStatus.BELOW_INTRINSIC:
        assert out <= 4 * EPS * premium
        return
    assert status is IvStatus.OK
    # In the money, one rounding of the premium is premium/out roundings of its time value.
    vega_share = reference_elasticity(F, K, s)
    noise = 8 * EPS * (premium / out) / vega_share
    assume(noise < 0.01)
    assert found == pytest.approx(sigma, rel=TARGET + noise)


def reference_elasticity(F: float, K: float, s: float) -> float:
    unit = normalised(np.array(abs(math.log(F / K))), np.array(s))
    return float(s * unit.density / unit.price)


@given(volatilities, st.booleans())
def test_agrees_with_its_scalar_twin(contract: tuple[float, ...], is_call: bool) -> None:
    F, k, T, s, D = contract
    K = F * math.exp(k)
    premium = float(price(F, K, T, s / math.sqrt(T), D, is_call))
    out = float(price(F, K, T, s / math.sqrt(T), D, F <= K))
    # The twin prices by differences, so it sees a time value only where that is not lost in them.
    assume(out > 1e-6 * D * max(F, K))
    found, status = one(premium, F, K, T, D, is_call)
    expected, expected_status = reference.implied_volatility(premium, F, K, T, D, is_call)
    assert status is expected_status
    assert found == pytest.approx(expected, rel=1e-7)


@given(volatilities, st.booleans(), st.floats(1.0001, 1.5))
def test_rises_with_price(contract: tuple[float, ...], is_call: bool, factor: float) -> None:
    F, k, T, s, D = contract
    K = F * math.exp(k)
    premium = float(price(F, K, T, s / math.sqrt(T), D, is_call))
    solved = implied_volatility([premium, premium * factor], F, K, T, D, is_call)
    assume((solved.status == IvStatus.OK).all())
    assert solved.iv[0] < solved.iv[1]


@given(volatilities, st.booleans(), st.integers(-200, 200))
def test_scale_by_powers_of_two_changes_nothing(contract: tuple[float, ...], is_call: bool, power: int) -> None:
    F, k, T, s, D = contract
    K = F * math.exp(k)
    premium = float(price(F, K, T, s / math.sqrt(T), D, is_call))
    assume(premium > 1e-200)
    scale = 2.0**power
    plain = implied_volatility(premium, F, K, T, D, is_call)
    scaled = implied_volatility(scale * premium, scale * F, scale * K, T, D, is_call)
    assert plain.status == scaled.status
    # Not equal, because the compiled kernel leaves what no market quotes to numpy.
    np.testing.assert_allclose(scaled.iv, plain.iv, rtol=4 * EPS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, IvStatus.OK),
        ({"price": math.nan}, IvStatus.NO_PRICE),
        ({"price": 0.0}, IvStatus.NO_PRICE),
        ({"price": -1.0}, IvStatus.NO_PRICE),
        ({"price": -math.inf}, IvStatus.NO_PRICE),
        ({"price": math.inf}, IvStatus.ABOVE_MAXIMUM),
        ({"years": 0.0}, IvStatus.EXPIRED),
        ({"years": -1.0}, IvStatus.EXPIRED),
        ({"years": -math.inf}, IvStatus.EXPIRED),
        ({"years": math.nan}, IvStatus.NO_PRICE),
        ({"years": math.inf}, IvStatus.NO_PRICE),
        ({"forward": math.nan}, IvStatus.NO_PRICE),
        ({"forward": 0.0}, IvStatus.NO_PRICE),
        ({"forward": math.inf}, IvStatus.NO_PRICE),
        ({"strike": -1.0}, IvStatus.NO_PRICE),
        ({"discount": math.nan}, IvStatus.NO_PRICE),
        ({"price": 5.0, "strike": 90.0}, IvStatus.BELOW_INTRINSIC),
        ({"price": 9.0, "strike": 90.0}, IvStatus.BELOW_INTRINSIC),
        ({"price": 9.0 * (1 + EPS), "strike": 90.0}, IvStatus.BELOW_INTRINSIC),
        ({"price": 9.0 * (1 + 9 * EPS), "strike": 90.0}, IvStatus.OK),
        ({"price": 90.0}, IvStatus.ABOVE_MAXIMUM),
        ({"price": 89.9999999}, IvStatus.OK),
        ({"price": 99.0, "strike": 110.0, "is_call": False}, IvStatus.ABOVE_MAXIMUM),
        ({"price": 98.9999, "strike": 110.0, "is_call": False}, IvStatus.OK),
        # precedence
        ({"price": math.nan, "years": 0.0, "forward": math.nan}, IvStatus.NO_PRICE),
        ({"years": 0.0, "forward": math.nan}, IvStatus.EXPIRED),
        ({"price": 1e9, "forward": math.nan}, IvStatus.NO_PRICE),
    ],
)
def test_status(changes: dict[str, Any], expected: IvStatus) -> None:
    contract: dict[str, Any] = {
        "price": 6.0,
        "forward": 100.0,
        "strike": 100.0,
        "years": 0.5,
        "discount": 0.9,
        "is_call": True,
    }
    contract.update(changes)
    solved = implied_volatility(**contract)
    assert IvStatus(int(solved.status)) is expected
    assert np.isnan(solved.iv) == (expected is not IvStatus.OK)
    within_rounding = changes.get("price") == 9.0 * (1 + EPS)
    if not within_rounding:  # the twin compares to the last bit
        assert reference.implied_volatility(*contract.values())[1] is expected


def test_status_names_are_those_of_the_contract() -> None:
    assert tuple(status.name.lower() for status in IvStatus) == get_args(IvStatusName)
    assert status_names(np.array([4, 0], dtype=np.int8)) == ["expired", "ok"]


def test_shapes_broadcast() -> None:
    solved = implied_volatility(np.full((3, 1, 4), 6.0), [[100.0], [101.0]], 100.0, 0.5, 0.9, True)
    assert solved.iv.shape == solved.status.shape == (3, 2, 4)
    assert solved.iv.dtype == np.float64
    assert solved.status.dtype == np.int8
    assert implied_volatility([], 100.0, 100.0, 0.5, 0.9, True).iv.shape == (0,)


def test_blocks_do_not_show() -> None:
    size = 2 * implied.BLOCK + 7
    sigma = np.linspace(0.05, 0.9, size)
    strikes = np.linspace(80.0, 125.0, size)
    calls = np.arange(size) % 2 == 0
    prices = price(100.0, strikes, 0.5, sigma, 0.97, calls)
    prices[::5] = np.nan
    whole = implied_volatility(prices, 100.0, strikes, 0.5, 0.97, calls)
    for at in (0, 4, implied.BLOCK - 1, implied.BLOCK + 1, size - 1):
        single = implied_volatility(prices[at], 100.0, strikes[at], 0.5, 0.97, calls[at])
        assert single.status == whole.status[at]
        np.testing.assert_allclose(single.iv, whole.iv[at], rtol=4 * EPS)


def grid() -> tuple[np.ndarray, ...]:
    """k, s and c over all that float64 can hold."""
    k = np.concatenate([[0.0, 1.2e-16, 1e-15], np.geomspace(1e-14, 30, 40), [100.0, 700.0, 1_400.0]])
    k, s = (a.ravel() for a in np.meshgrid(k, np.geomspace(1e-9, 80, 400), indexing="ij"))
    with np.errstate(all="ignore"):
        unit = normalised(k, s)
    ok = (unit.price > 1e-280) & (unit.complement > 1e-16)
    return tuple(a[ok] for a in (k, s, unit.price, unit.complement))


def test_steps_settle_everywhere_without_bisection(monkeypatch: pytest.MonkeyPatch) -> None:
    k, s, c, complement = grid()

    def unexpected(*_: Any) -> None:
        raise AssertionError("Householder did not settle")

    monkeypatch.setattr(implied, "_bisected_root", unexpected)
    with np.errstate(all="ignore"):
        found = implied._root(k, c, complement, np.log(c))
    # Near c = 1 a rounding of c is s·n/(1-c) times smaller in s.
    np.testing.assert_allclose(found, s, rtol=1e-13)


def test_bisection_alone_finds_the_same_roots() -> None:
    k, s, c, complement = (a[::7] for a in grid())
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(implied._bisected_root(k, c, complement, np.log(c)), s, rtol=1e-13)


def test_rows_that_do_not_settle_are_bisected(monkeypatch: pytest.MonkeyPatch) -> None:
    k, s, c, complement = (a[::50] for a in grid())
    monkeypatch.setattr(implied, "_guess", lambda k, *_: np.full(k.shape, np.nan))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(implied._root(k, c, complement, np.log(c)), s, rtol=1e-13)
