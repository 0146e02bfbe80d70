"""Compiled fits and gamma totals at every level this processor has, against numpy."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aro.quant import kernel, svi_fit
from aro.quant.exposure import NODES, gamma_flip, gamma_profile
from aro.quant.svi import Svi, total_variance
from aro.quant.svi_fit import SliceFits, fit_slices, quality, usable_points

EVERY_LEVEL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
ODD_YEARS = (np.nan, np.inf, -1.0, 0.0, 5e-324, 1e-12, 1e-9, 1e-6, 99.0, 100.0)


class Book(NamedTuple):
    k: np.ndarray
    iv: np.ndarray
    weight: np.ndarray
    years: np.ndarray


def book(seed: int, *, slices: int = 16, points: int = 61, noise: float = 0.003, missing: float = 0.2) -> Book:
    """Smiles from an hour to three years: random wings, bends and ranges, noise, and quotes that are not there."""
    random = np.random.default_rng(seed)
    years = np.exp(random.uniform(np.log(1 / 8_760), np.log(3), slices))
    at_the_money = np.exp(random.uniform(np.log(0.05), np.log(1.5), (slices, 1)))
    reach = np.exp(random.uniform(np.log(0.5), np.log(3.0), (slices, 1)))
    z = reach * (np.sort(random.uniform(-1, 1, (slices, points)), axis=1) + random.uniform(-0.5, 0.5, (slices, 1)))
    P, C, s = random.uniform(0.05, 1.0, (3, slices, 1))
    m = random.uniform(-1, 1, (slices, 1))

    def bend(z: np.ndarray) -> np.ndarray:
        return 0.5 * (C - P) * (z - m) + 0.5 * (C + P) * np.hypot(z - m, s)

    v = np.maximum(1.0 + bend(z) - bend(np.zeros_like(z)), 0.05)
    iv = at_the_money * np.sqrt(v) * (1.0 + noise * random.standard_normal(z.shape))
    iv[random.random(z.shape) < missing] = np.nan
    return Book(z * at_the_money * np.sqrt(years)[:, None], iv, random.uniform(0.1, 3.0, z.shape), years)


def in_numpy(book: Book, start: Svi | None = None, **options: int) -> SliceFits:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "compiled", None)
        return fit_slices(*book, start, **options)


def volatilities(book: Book, fits: SliceFits) -> np.ndarray:
    """Of the fitted curves at the points of their fit."""
    there = usable_points(*book[:3])
    return np.sqrt(total_variance(np.where(there, book.k, np.nan), fits.svi) / book.years[:, None])


def weighted_error(book: Book, fits: SliceFits) -> np.ndarray:
    """Root of the weighted mean square, (slices,); 0 where there is no fit."""
    weight = np.where(usable_points(*book[:3]), book.weight, 0.0)
    error = np.nan_to_num(volatilities(book, fits) - book.iv)
    share = weight / np.maximum(weight.max(axis=1, keepdims=True, initial=0.0), 1e-300)
    return np.sqrt((share * error * error).sum(axis=1) / np.maximum(share.sum(axis=1), 1.0))


def assert_same(found: SliceFits, expected: SliceFits, book: Book) -> None:
    np.testing.assert_array_equal(found.points, expected.points)
    np.testing.assert_array_equal([found.k_low, found.k_high], [expected.k_low, expected.k_high])
    np.testing.assert_allclose(volatilities(book, found), volatilities(book, expected), rtol=1e-8)
    np.testing.assert_allclose(found.rmse, expected.rmse, atol=1e-9)
    np.testing.assert_allclose(found.max_error, expected.max_error, atol=1e-9)
    np.testing.assert_allclose(found.g_min, expected.g_min, atol=1e-6)


@pytest.mark.parametrize("steps", [14, 40])
def test_cold_fits_are_those_of_numpy(level: str, steps: int) -> None:
    smiles = book(1, slices=200)
    found = fit_slices(*smiles, steps=steps)
    assert np.isfinite(found.rmse).all()
    assert_same(found, in_numpy(smiles, steps=steps), smiles)


def test_warm_fits_are_those_of_numpy(level: str) -> None:
    before, smiles = book(2, slices=200, noise=0.01), book(2, slices=200)
    start = Svi(*(np.where(np.arange(200) % 5 == 0, np.nan, column) for column in fit_slices(*before).svi))
    assert_same(fit_slices(*smiles, start), in_numpy(smiles, start), smiles)


def test_of_what_markets_quote_nothing_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svi_fit, "_fitted", None)
    monkeypatch.setattr(svi_fit, "_quality", None)
    assert np.isfinite(fit_slices(*book(3, slices=500)).g_min).all()


@given(
    seed=st.integers(0, 2**32),
    points=st.integers(0, 40),
    missing=st.floats(0.0, 1.0),
    spread=st.sampled_from([0.0, 1.0, 20.0, 600.0]),
    years=st.lists(st.sampled_from(ODD_YEARS), min_size=4, max_size=4),
    spoiled=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300]),
)
@EVERY_LEVEL
def test_odd_smiles_are_judged_alike(
    seed: int, points: int, missing: float, spread: float, years: list[float], spoiled: float, level: str
) -> None:
    made = book(seed, slices=8, points=points, missing=missing)
    random = np.random.default_rng(seed)
    weight = np.exp(spread * random.uniform(-1.0, 1.0, made.k.shape))
    columns = (np.where(random.random(made.k.shape) < 0.1, spoiled, x) for x in (made.k, made.iv, weight))
    odd = Book(*columns, np.append(made.years[:4], years))
    found, expected = fit_slices(*odd), in_numpy(odd)
    np.testing.assert_array_equal(found.points, expected.points)
    np.testing.assert_array_equal(np.isnan(found[1:]), np.isnan(expected[1:]))
    # Where quotes hardly decide, roundings grow from step to step, and the ends differ; what a fit minimises does not.
    np.testing.assert_allclose(weighted_error(odd, found), weighted_error(odd, expected), rtol=1e-2, atol=1e-5)


def test_more_points_than_a_row_holds_go_to_numpy(level: str) -> None:
    wide = book(4, slices=3, points=513, missing=0.0)
    wide.iv[1, :100] = np.nan
    found, expected = fit_slices(*wide), in_numpy(wide)
    np.testing.assert_array_equal(np.array(found.svi)[:, [0, 2]], np.array(expected.svi)[:, [0, 2]])
    assert_same(found, expected, wide)


def test_points_all_at_one_strike_go_to_numpy(level: str) -> None:
    same = Book(np.zeros((2, 9)), np.full((2, 9), 0.2), np.ones((2, 9)), np.array([0.1, 1e-10]))
    np.testing.assert_array_equal(fit_slices(*same).svi, in_numpy(same).svi)


def test_neighbours_and_gaps_change_no_bit(level: str) -> None:
    smiles = book(5, slices=6)
    whole = fit_slices(*smiles)
    for at in range(6):
        there = np.isfinite(smiles.iv[at])
        one = fit_slices(*(x[at][there][None] for x in smiles[:3]), smiles.years[at : at + 1])
        assert [x[0] for x in one.svi] == [x[at] for x in whole.svi]
        assert [x[0] for x in one[1:]] == [x[at] for x in whole[1:]]


def test_quality_of_any_curve_is_that_of_numpy(level: str) -> None:
    smiles = book(6, slices=300)
    random = np.random.default_rng(6)
    a, b, rho, m, sigma = np.exp(random.normal(-3.0, 2.0, (5, 300)))
    # Some dip below zero, some are no curve.
    curves = Svi(a - 0.2, np.where(random.random(300) < 0.1, np.nan, b), np.tanh(rho - 1.0), m, sigma)
    arguments = curves, smiles.k, smiles.iv, usable_points(*smiles[:3]), smiles.years
    found = quality(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "compiled", None)
        expected = quality(*arguments)
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


class Positions(NamedTuple):
    """In the order of `gamma_flip`'s arguments, without the spot."""

    offsets: np.ndarray
    strikes: np.ndarray
    call_iv: np.ndarray
    put_iv: np.ndarray
    call_open_interest: np.ndarray
    put_open_interest: np.ndarray
    forward: np.ndarray
    years: np.ndarray


def positions(seed: int, *, spoiled: float = np.nan, share: float = 0.1, least_years: float = 1e-3) -> Positions:
    """Chains of up to 300 strikes, the first of them empty; a share of all numbers is `spoiled`."""
    random = np.random.default_rng(seed)
    lengths = np.append(0, random.integers(1, 300, 5))
    offsets = np.append(0, np.cumsum(lengths))
    size = int(offsets[-1])
    forward = np.exp(random.uniform(3.0, 10.0, 6))
    strikes = np.repeat(forward, lengths) * np.exp(random.uniform(-0.3, 0.3, size))
    columns = random.uniform(0.05, 0.8, size), random.uniform(0.05, 0.8, size), *random.uniform(0.0, 1e6, (2, size))
    columns = tuple(np.where(random.random(size) < share, spoiled, column) for column in (strikes, *columns))
    return Positions(offsets, *columns, forward, np.exp(random.uniform(np.log(least_years), 0.5, 6)))


def flips_and_profiles(book: Positions) -> list[np.ndarray]:
    ones = np.ones(6)
    profiles = [gamma_profile(*book, ones, ones, model) for model in ("naive", "all_short")]
    return [gamma_flip(*book[:6], book.forward, *book[6:]), *profiles]


@given(
    st.integers(0, 2**32),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300]),
    st.sampled_from([0.0, 0.01, 0.3]),
    st.sampled_from([1e-9, 1e-3]),
)
@EVERY_LEVEL
def test_gamma_totals_are_those_of_numpy(level: str, seed: int, spoiled: float, share: float, least: float) -> None:
    book = positions(seed, spoiled=spoiled, share=share, least_years=least)
    flip, naive, short = flips_and_profiles(book)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "compiled", None)
        expected_flip, expected_naive, expected_short = flips_and_profiles(book)
    assert naive.shape == (NODES, 6)
    # A rounding of ln(F/K) is this many of a far density, the more so the less time there is.
    rounding = 1e-8 if least < 1e-3 else 1e-11
    np.testing.assert_allclose(short, expected_short, rtol=rounding)
    # What cancels leaves roundings of what there was.
    assert (np.abs(naive - expected_naive) <= rounding * np.abs(short))[np.isfinite(short)].all()
    np.testing.assert_array_equal(np.isnan(flip), np.isnan(expected_flip))
    np.testing.assert_allclose(flip, expected_flip, rtol=1e-7)


def test_of_what_markets_quote_no_total_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aro.quant.exposure._summed", None)
    assert np.isfinite(flips_and_profiles(positions(7, share=0.0))[1][:, 1:]).all()


def test_nothing_is_read_beyond_the_end_of_an_array() -> None:
    smiles, book_ = book(9, slices=3), positions(9)
    with pytest.raises(ValueError, match="is due"):
        fit_slices(*(x[:1] for x in smiles[:3]), smiles.years)
    with pytest.raises(ValueError, match="is due"):
        fit_slices(*smiles, Svi(*(np.ones(2) for _ in range(5))))
    for changes in ({"put_iv": book_.put_iv[1:]}, {"years": book_.years[1:]}, {"offsets": book_.offsets[:-1]}):
        with pytest.raises(ValueError, match="is due"):
            flips_and_profiles(book_._replace(**changes))
    with pytest.raises(ValueError, match="do not rise"):
        flips_and_profiles(book_._replace(offsets=book_.offsets[[0, 2, 1, 3, 4, 5, 6]]))


def test_equal_sides_cancel_exactly(level: str) -> None:
    book = positions(8, share=0.0)
    even = book._replace(put_iv=book.call_iv, put_open_interest=book.call_open_interest)
    flip, naive, _ = flips_and_profiles(even)
    assert not naive.any()
    assert np.isnan(flip).all()
