"""Any float64 into fits, surfaces, strips and the batch: an answer or NaN, never an exception or a warning."""

import numpy as np
import pytest

from aro.quant.batch import Chain, Side, join, solve
from aro.quant.least_squares import solve_each
from aro.quant.surface_fit import fit_surface
from aro.quant.svi_fit import fit_slices
from aro.quant.variance_index import strip

pytestmark = pytest.mark.usefixtures("each_kernel")

ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 5e-324, 1e-300, 1e300, 1.7e308, 1.0, 0.2, 0.05, 1e-9, 1e9, -1e-300])
ROUNDS = 40


class Spoiler:
    """Puts odd numbers in the place of good ones, more of them in some rounds than in others."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.share = 0.7 * self.random.random()

    def __call__(self, good: object) -> np.ndarray:
        values = np.asarray(good, dtype=float)
        spoiled = self.random.random(values.shape) < self.share
        return np.where(spoiled, self.random.choice(ODD, values.shape), values)

    def one(self, good: float) -> float:
        return float(self(good))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_fits_and_surfaces(seed: int) -> None:
    spoil = Spoiler(seed)
    slices, points = spoil.random.integers(1, 5), spoil.random.integers(0, 20)
    k, iv = np.ones((slices, 1)) * np.linspace(-0.2, 0.2, points), np.full((slices, points), 0.2)
    years = spoil(np.linspace(0.1, 0.5, slices))
    quotes = spoil(k), spoil(iv), spoil(np.ones((slices, points)))
    fits = fit_slices(*quotes, years)
    assert (fits.rmse[np.isfinite(fits.rmse)] >= 0.0).all()
    found = fit_surface(*quotes, years, spoil(np.full(slices, 100.0)), spoil.one(100.0))
    if found is None:
        return
    for odd in ODD:
        for point in ("strike", "moneyness", "delta"):
            answer = found.surface.iv(0.2, **{point: odd})
            assert np.isnan(answer) or answer > 0.0
        found.surface.iv(odd, moneyness=0.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_batches_and_strips(seed: int) -> None:
    spoil = Spoiler(seed)
    count, size = spoil.random.integers(1, 5), int(spoil.random.integers(0, 20))
    K = 100.0 + 50.0 * np.arange(size)

    def side() -> Side:
        return Side(*(spoil(100.0 * spoil.random.random(size)) for _ in Side._fields))

    chains = [
        Chain(
            strikes=K,
            calls=side(),
            puts=side(),
            spot=spoil.one(400.0),
            years=spoil.one(0.1),
            rate=spoil.one(0.05),
            dividend_yield=0.01,
            contract_size=spoil.one(65.0),
            tick_size=spoil.one(0.05),
        )
        for _ in range(count)
    ]
    assert solve(join(chains)).forward.shape == (count,)
    quotes = [spoil(10.0 * spoil.random.random(size)) for _ in range(4)]
    for method in ("cboe", "india"):
        built = strip(K, *quotes, spoil.one(0.1), spoil.one(0.05), method=method, future=spoil.one(300.0))
        assert not np.isinf(built.variance)


def test_a_singular_problem_costs_no_other() -> None:
    matrices = np.stack([np.eye(2), np.zeros((2, 2)), 2.0 * np.eye(2)])
    found = solve_each(matrices, np.ones((3, 2)))
    np.testing.assert_array_equal(found, [[1.0, 1.0], [np.nan, np.nan], [0.5, 0.5]])
