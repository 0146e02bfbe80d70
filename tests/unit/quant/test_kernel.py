"""The compiled kernel at every level this processor has, against numpy."""

from collections.abc import Iterator

import numpy as np
import pytest

from aro.quant import kernel
from aro.quant.black import Greeks, greeks, price
from aro.quant.higher_greeks import HigherGreeks, higher_greeks
from aro.quant.implied import ImpliedVolatility, IvStatus, implied_volatility

EPS = 2.0**-52
BEST = kernel.compiled
assert BEST is not None
Book = tuple[np.ndarray, ...]


def book(size: int, seed: int = 5) -> tuple[Book, np.ndarray]:
    """Contracts from an hour to three years, at most 4 standard deviations from the forward: (F, K, T, D), σ."""
    random = np.random.default_rng(seed)
    F = np.exp(random.uniform(2, 11, size))
    T = np.exp(random.uniform(np.log(1 / 8_760), np.log(3), size))
    sigma = np.exp(random.uniform(np.log(0.03), np.log(2), size))
    K = F * np.exp(random.uniform(-4, 4, size) * sigma * np.sqrt(T))
    return (F, K, T, np.exp(-random.uniform(-0.01, 0.1, size) * T)), sigma


def in_numpy(function: object, *arguments: object) -> tuple[np.ndarray, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "compiled", None)
        return function(*arguments)  # type: ignore[operator, no-any-return]


def test_volatilities_are_those_of_numpy(level: str) -> None:
    (F, K, T, D), sigma = book(20_000)
    call = np.arange(F.size) % 3 > 0
    p = price(F, K, T, sigma, D, call)
    found = implied_volatility(p, F, K, T, D, call)
    expected = ImpliedVolatility(*in_numpy(implied_volatility, p, F, K, T, D, call))
    assert (found.status == expected.status).all()
    assert (found.status == IvStatus.OK).mean() > 0.99
    np.testing.assert_allclose(found.iv, expected.iv, rtol=16 * EPS)


def test_greeks_are_those_of_numpy(level: str) -> None:
    (F, K, T, D), sigma = book(20_000)
    call = np.arange(F.size) % 2 == 0
    found = greeks(F, K, T, sigma, D, call)
    expected = Greeks(*in_numpy(greeks, F, K, T, sigma, D, call))
    value = price(F, K, T, sigma, D, call)
    # Theta is a difference of two terms: its rounding is that of the larger.
    scales = expected._replace(theta=np.abs(expected.theta) + np.abs(np.log(D) / T * value / 365.0))
    # A rounding of ln(F/K) is this many of a far price.
    inherent = 1.0 + (np.log(F / K) / sigma) ** 2 / T
    for name, one, other, scale in zip(Greeks._fields, found, expected, scales, strict=True):
        assert (np.abs(one - other) <= 16 * EPS * inherent * np.abs(scale)).all(), name


def test_higher_greeks_are_those_of_numpy(level: str) -> None:
    (F, K, T, D), sigma = book(20_000)
    call = np.arange(F.size) % 2 == 0
    found = higher_greeks(F, K, T, sigma, D, call)
    expected = HigherGreeks(*in_numpy(higher_greeks, F, K, T, sigma, D, call))
    root_t = np.sqrt(T)
    d1 = np.log(F / K) / (sigma * root_t) + 0.5 * sigma * root_t
    # d1 and d2 are differences: their rounding is that of the larger term, and the density's that of d1²/2.
    whole = np.abs(d1) + sigma * root_t
    vega = greeks(F, K, T, sigma, D, call).vega
    density = vega / (F * root_t)
    scales = HigherGreeks(
        vanna=density * whole / sigma,
        charm=(density * whole / T + np.abs(np.log(D)) / T) / 3.65,
        volga=vega * whole**2 / sigma,
    )
    for name, one, other, scale in zip(HigherGreeks._fields, found, expected, scales, strict=True):
        assert (np.abs(one - other) <= 16 * EPS * (1.0 + d1 * d1) * scale).all(), name


def test_neighbours_change_no_bit(level: str) -> None:
    size = 3 * 128 + 5
    (F, K, T, D), sigma = book(size)
    call = np.arange(size) % 2 == 0
    p = price(F, K, T, sigma, D, call)
    p[::7] = np.nan
    whole, whole_greeks = implied_volatility(p, F, K, T, D, call), greeks(F, K, T, sigma, D, call)
    for at in (0, 1, 6, 7, 8, 127, 128, 129, 383, 384, size - 1):
        row = (F[at], K[at], T[at])
        one = implied_volatility(p[at], *row, D[at], call[at])
        assert np.array_equal(one.iv, whole.iv[at], equal_nan=True)
        assert one.status == whole.status[at]
        assert [float(greek) for greek in greeks(*row, sigma[at], D[at], call[at])] == [g[at] for g in whole_greeks]


def test_scalars_and_strided_columns_are_read_where_they_are(level: str) -> None:
    (F, K, *_), sigma = book(500)
    p = price(100.0, 100.0 * K / F, 0.3, sigma, 0.97, False)
    wide = np.repeat(p, 2)[::2]
    assert not wide.flags.c_contiguous
    found = implied_volatility(wide, 100.0, 100.0 * K / F, 0.3, 0.97, False)
    columns = np.full((3, 500), [[100.0], [0.3], [0.97]])
    expected = implied_volatility(p, columns[0], 100.0 * K / F, columns[1], columns[2], np.zeros(500, dtype=bool))
    assert np.array_equal(found.iv, expected.iv, equal_nan=True)


@pytest.fixture
def stale() -> Iterator[None]:
    revision = kernel.REVISION
    kernel.REVISION = revision + 1  # type: ignore[misc]
    yield
    kernel.REVISION = revision  # type: ignore[misc]


@pytest.mark.usefixtures("stale")
def test_a_library_of_another_revision_is_refused() -> None:
    with pytest.raises(ImportError, match="install services/shared again"):
        kernel._load()


def test_description_says_which_form_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel.description() == f"compiled ({BEST.level})"
    monkeypatch.setattr(kernel, "compiled", None)
    assert kernel.description() == "numpy"
