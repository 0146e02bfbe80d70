"""Contracts to price, and what they imply: computed with 40 digits from the very doubles that contestants get."""

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

DIGITS = 40
TICK = 0.05
STRIKES = 81
UNIQUE = 6_400
"""Larger books repeat this many contracts, shuffled, because exact answers take 0.2 ms each."""
GREEKS = ("delta", "gamma", "vega", "theta", "rho")


@dataclass(frozen=True, slots=True)
class Book:
    """One entry per contract. `iv` and `greeks`, (5, n) in units of `aro.quant.black.Greeks`, are exact."""

    price: np.ndarray
    forward: np.ndarray
    strike: np.ndarray
    years: np.ndarray
    rate: np.ndarray
    discount: np.ndarray
    is_call: np.ndarray
    iv: np.ndarray
    greeks: np.ndarray

    @property
    def size(self) -> int:
        return self.price.size

    def sample(self, size: int) -> "Book":
        """At most so many, evenly spread."""
        return self.rows(np.linspace(0, self.size - 1, min(size, self.size)).astype(np.int64))

    def rows(self, where: np.ndarray) -> "Book":
        return Book(
            *(getattr(self, name)[where] for name in Book.__slots__[:-1]),
            greeks=np.ascontiguousarray(self.greeks[:, where]),
        )


def make_book(size: int, seed: int = 20_220_328) -> Book:
    """Index chains, calls and puts at each strike where the out-of-the-money side costs a tick or more; calls first."""
    random = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    unique = min(size, UNIQUE)
    while len(rows) < unique:
        rows += _chain(random)
    exact = [_exact(*row) for row in rows[:unique]]
    columns = np.array([(price, *row) for row, (price, *_) in zip(rows[:unique], exact, strict=True)]).T
    book = Book(
        price=columns[0],
        forward=columns[1],
        strike=columns[2],
        years=columns[3],
        rate=columns[4],
        discount=columns[5],
        is_call=columns[7] > 0,
        iv=np.array([iv for _, iv, _ in exact]),
        greeks=np.array([greeks for _, _, greeks in exact]).T,
    )
    where = random.permutation(np.resize(np.arange(unique), size))
    return book.rows(where[np.argsort(~book.is_call[where], kind="stable")])


def _chain(random: np.random.Generator) -> list[tuple[float, ...]]:
    forward, years = 25_000.0 * np.exp(random.normal(0.0, 0.05)), random.uniform(2.0, 90.0) / 365.0
    rate, level = random.uniform(0.05, 0.07), random.uniform(0.10, 0.20)
    step = max(round(forward * level * np.sqrt(years) * 6.0 / STRIKES / 5.0), 1) * 5.0
    strikes = round(forward / step) * step + step * np.arange(-(STRIKES // 2), STRIKES // 2 + 1)
    x = np.log(strikes / forward) / np.sqrt(years)
    sigma = level * np.sqrt(1.0 - 0.9 * x / level * 0.3 + (0.35 * x / level) ** 2)
    discount = np.exp(-rate * years)
    rows = []
    for strike, one in zip(strikes, sigma, strict=True):
        s = one * np.sqrt(years)
        if forward * s * 0.4 * np.exp(-0.5 * (np.log(strike / forward) / s) ** 2) < 20.0 * TICK:
            continue
        rows += [(forward, strike, years, rate, discount, one, side) for side in (1.0, -1.0)]
    return [tuple(map(float, row)) for row in rows]


def _exact(
    F: float, K: float, T: float, rate: float, D: float, sigma: float, side: float
) -> tuple[float, float, tuple[float, ...]]:
    """The price as a double near that of `sigma`, and what this double implies."""
    with mpmath.workdps(DIGITS):
        forward, strike, years, discount = (mpmath.mpf(value) for value in (F, K, T, D))
        value, vega, _ = _black(forward, strike, years, discount, mpmath.mpf(sigma), side)
        price = float(value)
        # The price was rounded by 1e-16 of itself, so one Newton step leaves 1e-30.
        iv = mpmath.mpf(sigma) - (value - mpmath.mpf(price)) / vega
        _, _, greeks = _black(forward, strike, years, discount, iv, side)
        return price, float(iv), tuple(float(greek) for greek in greeks)


def _black(F: Any, K: Any, T: Any, D: Any, sigma: Any, side: float) -> tuple[Any, Any, tuple[Any, ...]]:
    root = mpmath.sqrt(T)
    d1 = mpmath.log(F / K) / (sigma * root) + sigma * root / 2
    cumulative_1, cumulative_2 = (mpmath.erfc(-side * d / mpmath.sqrt(2)) / 2 for d in (d1, d1 - sigma * root))
    density = mpmath.npdf(d1)
    value = side * D * (F * cumulative_1 - K * cumulative_2)
    vega = D * F * density * root
    theta = -mpmath.log(D) / T * value - D * F * density * sigma / (2 * root)
    gamma = D * density / (F * sigma * root)
    return value, vega, (side * D * cumulative_1, gamma, vega / 100, theta / 365, -T * value / 100)
