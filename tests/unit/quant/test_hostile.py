"""Any float64 whatsoever: no exception, no warning, no wrong number."""

import warnings

import numpy as np
import pytest

from aro.quant.batch import Chain, Side, join, solve
from aro.quant.black import greeks, price
from aro.quant.expiry import years_to_expiry
from aro.quant.forward import implied_forward
from aro.quant.implied import IvStatus, implied_volatility
from aro.quant.max_pain import max_pain
from aro.quant.normalised import log_moneyness, mills, normalised
from aro.quant.ratios import put_call_ratio, put_call_value_ratio
from aro.quant.ssvi import atm_total_variance, power_law_phi, total_variance
from aro.quant.straddle import atm_index, straddle_at_forward, volatility_at_forward

SIZE = 250_000
EPS = 2.0**-52
SPECIAL = np.array(
    [
        *(0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 2.0**-1022, 1.7e308, -1.7e308, 1e-300, 1e300),
        *(1.0, -1.0, 1 + 2.0**-52, 1 - 2.0**-53, 0.5, 100.0),
    ]
)
Arrays = list[np.ndarray]


def random_bits(random: np.random.Generator) -> Arrays:
    return [random.integers(0, 2**64, SIZE, dtype=np.uint64).view(np.float64) for _ in range(5)]


def positive_bits(random: np.random.Generator) -> Arrays:
    return [np.abs(values) for values in random_bits(random)]


def special_values(random: np.random.Generator) -> Arrays:
    return [random.choice(SPECIAL, SIZE) for _ in range(5)]


def strikes_within_ulps(random: np.random.Generator) -> Arrays:
    F = np.exp(random.uniform(-5, 5, SIZE))
    K = F * (1 + random.integers(-5, 6, SIZE) * 2.0**-52)
    return [F * np.exp(random.uniform(-60, 1, SIZE)), F, K, random.uniform(0, 2, SIZE), random.uniform(0.9, 1, SIZE)]


def wide(random: np.random.Generator) -> Arrays:
    F = np.exp(random.uniform(-5, 5, SIZE))
    k = np.clip(random.normal(0, 1, SIZE) * random.choice([1e-8, 1e-3, 0.1, 1, 10, 300], SIZE), -600, 600)
    T, D = np.exp(random.uniform(-300, 300, SIZE)), np.exp(random.uniform(-10, 1, SIZE))
    return [F * np.exp(random.uniform(-600, 1, SIZE)), F, F * np.exp(k), T, D]


def at_the_bounds(random: np.random.Generator) -> Arrays:
    """Premiums within ulps of intrinsic value and of the maximum."""
    F, K = 100.0, np.round(random.uniform(50, 200, SIZE), 2)
    bound = random.choice([0.0, 1.0], SIZE) * np.abs(F - K) + random.choice([0.0, 1.0], SIZE) * np.minimum(F, K)
    D = random.uniform(0.9, 1, SIZE)
    premium = D * bound * (1 + random.integers(-6, 7, SIZE) * 2.0**-52)
    return [premium, np.full(SIZE, F), K, random.uniform(0.01, 2, SIZE), D]


KINDS = [random_bits, positive_bits, special_values, strikes_within_ulps, wide, at_the_bounds]


def assert_no_wrong_number(arrays: Arrays, call: np.ndarray) -> int:
    """Every row is priced back or says why not; the number of rows that were solved."""
    p, F, K, T, D = arrays
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        solved = implied_volatility(p, F, K, T, D, call)
    ok = solved.status == IvStatus.OK
    assert np.isnan(solved.iv[~ok]).all()
    assert set(np.unique(solved.status)) <= {int(status) for status in IvStatus}
    p, F, K, T, D, iv, call = (values[ok] for values in (p, F, K, T, D, solved.iv, call))
    assert (np.isfinite(iv) & (iv > 0.0)).all()
    again = price(F, K, T, iv, D, call)
    with np.errstate(all="ignore"):
        intrinsic = D * np.maximum(np.where(call, F - K, K - F), 0.0)
        k, s = np.abs(log_moneyness(F, K)), iv * np.sqrt(T)
        unit = normalised(k, s)
        # σ√T and ln(F/K) are one float64 each, and the price of a neighbour is this many roundings away; where even
        # float64's exponents end, `price` adds logarithms of up to 745.
        elasticity = (s + k * mills(0.5 * s + k / s)) / unit.ratio
        elasticity += np.where(unit.price * np.minimum(1.0, np.minimum(F, K)) < 1e-280, 1_500.0, 0.0)
        bound = 4 * EPS * (np.maximum(p, intrinsic) + elasticity * (p - intrinsic)) + 2.0**-1074
        wrong = ~(np.abs(again - p) <= bound)
    assert not wrong.any(), [(*(float(a[wrong][0]) for a in (p, F, K, T, D, iv, again)), bool(call[wrong][0]))]
    return int(ok.sum())


@pytest.mark.usefixtures("each_kernel")
def test_random_bit_patterns(request: pytest.FixtureRequest) -> None:
    random = np.random.default_rng(20_220_329)
    rounds = -(-request.config.getoption("--floats") // SIZE)
    solved = sum(assert_no_wrong_number(random_bits(random), random.random(SIZE) < 0.5) for _ in range(rounds))
    assert solved > 1_000 * rounds


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("each_kernel")
def test_hostile_contracts(kind) -> None:
    random = np.random.default_rng(20_220_328)
    arrays = kind(random)
    p, F, K, T, D = arrays
    call = random.random(SIZE) < 0.5
    solved = assert_no_wrong_number(arrays, call)
    assert kind is at_the_bounds or solved > 1_000
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        arbitrary = [price(F, K, T, p, D, call), *greeks(F, K, T, p, D, call)]
    assert not any(np.isinf(values).any() for values in arbitrary)


@pytest.mark.parametrize("kind", KINDS)
def test_ssvi_takes_anything(kind) -> None:
    a, b, c, d, _ = kind(np.random.default_rng(7))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for values in (total_variance(a, b, c, d), power_law_phi(a, b, c), atm_total_variance(a, b, c, d)):
            assert not np.isinf(values).any()
            assert not (values < 0.0).any()


@pytest.mark.parametrize("kind", [random_bits, special_values, wide])
def test_chain_numbers_take_anything(kind) -> None:
    rows, strikes = 400, 60
    random = np.random.default_rng(11)
    a, b, c, d, e = (values[: rows * strikes].reshape(rows, strikes) for values in kind(random))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        implied_forward(np.abs(e), a, b, c, d, a[:, 0], b[:, 0], c[:, 0], d[:, 0], e[:, 0])
        put_call_ratio(a, b)
        put_call_value_ratio(a, b, c, d)
        max_pain(a, b, c, d[:, 0])
        atm_index(a, b[:, 0])
        straddle_at_forward(a, b, c[:, 0])
        volatility_at_forward(a, b, c, d[:, 0])
        years_to_expiry([0, 2**53], [2**53, 0])
        chains = [
            Chain(
                strikes=e[row],
                calls=Side(a[row], b[row], c[row], d[row]),
                puts=Side(c[row], d[row], a[row], b[row]),
                spot=float(a[row, 0]),
                years=float(b[row, 0]),
                rate=float(c[row, 0]),
                dividend_yield=float(d[row, 0]),
            )
            for row in range(40)
        ]
        solve(join(chains))
