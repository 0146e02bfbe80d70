"""Each package behind the same two calls, prepared as its manual says is fastest; preparation is not timed.

What a package cannot do in one call it is given in the cheapest form: `iv_engine` takes one side per call and no
discount, so calls come first in every book and prices are undiscounted beforehand; it lacks theta and rho, which
numpy adds. Greeks come back as the package gives them, and `units` converts them, which is not timed either. What
fast-vollib
calls rho with its Black model is another derivative, so its error there is of definition, not of arithmetic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from book import Book

from aro.quant import kernel
from aro.quant.black import greeks as aro_greeks
from aro.quant.implied import implied_volatility as aro_volatility

Greeks = Any


@dataclass(frozen=True, slots=True)
class Contestant:
    name: str
    version: str
    volatility: Callable[[], np.ndarray]
    greeks: Callable[[np.ndarray], Greeks]
    """Of the volatilities that the call before returned."""
    units: Callable[[Greeks], np.ndarray]
    """(5, n): delta, gamma, vega per vol point, theta per day, rho per percent."""
    book: Book
    """What it was given: packages that loop in Python get fewer contracts."""


def aro(book: Book, form: kernel.Kernel | None) -> Contestant:
    def volatility() -> np.ndarray:
        kernel.compiled = form
        b = book
        return aro_volatility(b.price, b.forward, b.strike, b.years, b.discount, b.is_call).iv

    def greeks(iv: np.ndarray) -> Greeks:
        return aro_greeks(book.forward, book.strike, book.years, iv, book.discount, book.is_call)

    name = "aro (numpy)" if form is None else f"aro (compiled, {form.level})"
    return Contestant(name, version("aro"), volatility, greeks, np.array, book)


def pyvolr(book: Book) -> Contestant:
    from pyvolr import black76

    flag = np.where(book.is_call, 1, -1).astype(np.int8)

    def volatility() -> np.ndarray:
        b = book
        return black76.implied_vol(b.price, flag, b.forward, b.strike, b.years, b.rate, on_error="ignore")

    def greeks(iv: np.ndarray) -> Greeks:
        return black76.greeks(flag, book.forward, book.strike, book.years, book.rate, iv)

    def units(raw: Greeks) -> np.ndarray:
        return np.array(
            [raw["delta"], raw["gamma"], raw["vega"] / 100.0, raw["theta"] / 365.0, raw["rho"] / 100.0],
        )

    return Contestant("pyvolr", version("pyvolr"), volatility, greeks, units, book)


def iv_engine(book: Book) -> Contestant:
    from iv_engine import batch

    b, calls = book, int(book.is_call.sum())
    undiscounted = b.price / b.discount
    columns = (b.forward, b.strike, b.years)
    sides = [(slice(0, calls), True), (slice(calls, None), False)]

    def volatility() -> np.ndarray:
        return np.concatenate(
            [batch.implied_volatilities(undiscounted[a], *(c[a] for c in columns), call, False) for a, call in sides]
        )

    def greeks(iv: np.ndarray) -> Greeks:
        delta = [batch.deltas(*(c[a] for c in columns), iv[a], call, False) for a, call in sides]
        vega = b.discount * batch.vegas(*columns, iv, False)
        theta = b.rate * b.price - vega * iv / (2.0 * b.years)
        gamma = b.discount * batch.gammas(*columns, iv, False)
        return b.discount * np.concatenate(delta), gamma, vega, theta, -b.years * b.price

    def units(raw: Greeks) -> np.ndarray:
        delta, gamma, vega, theta, rho = raw
        return np.array([delta, gamma, vega / 100.0, theta / 365.0, rho / 100.0])

    return Contestant("iv-engine", version("iv-engine"), volatility, greeks, units, book)


def fast_vollib(book: Book) -> Contestant:
    import fast_vollib as package

    flag = np.where(book.is_call, "c", "p")
    options: dict[str, Any] = {"backend": "numba"}

    def volatility() -> np.ndarray:
        b = book
        return package.fast_implied_volatility_black(
            b.price, b.forward, b.strike, b.rate, b.years, flag, return_as="numpy", on_error="ignore", **options
        )

    def greeks(iv: np.ndarray) -> Greeks:
        b = book
        return package.get_all_greeks(
            flag, b.forward, b.strike, b.years, b.rate, iv, model="black", return_as="dict", **options
        )

    def units(raw: Greeks) -> np.ndarray:
        return np.array([raw[name] for name in ("delta", "gamma", "vega", "theta", "rho")])

    return Contestant("fast-vollib (numba)", version("fast-vollib"), volatility, greeks, units, book)


def py_lets_be_rational(book: Book) -> Contestant:
    from py_lets_be_rational import implied_volatility_from_a_transformed_rational_guess as solve

    rows = _rows(book.price / book.discount, book.forward, book.strike, book.years, np.where(book.is_call, 1.0, -1.0))

    def volatility() -> np.ndarray:
        return np.array([solve(*row) for row in rows])

    return Contestant("py_lets_be_rational", version("py_lets_be_rational"), volatility, _none, _none, book)


def vollib(book: Book) -> Contestant:
    from vollib.black.greeks import analytical
    from vollib.black.implied_volatility import implied_volatility

    flag = np.where(book.is_call, "c", "p")
    rows = [
        (*row, str(letter))
        for row, letter in zip(_rows(book.price, book.forward, book.strike, book.rate, book.years), flag, strict=True)
    ]
    functions = (analytical.delta, analytical.gamma, analytical.vega, analytical.theta, analytical.rho)

    def volatility() -> np.ndarray:
        return np.array([implied_volatility(*row) for row in rows])

    def greeks(iv: np.ndarray) -> Greeks:
        return [
            [function(letter, F, K, T, rate, sigma) for function in functions]
            for (_, F, K, rate, T, letter), sigma in zip(rows, iv.tolist(), strict=True)
        ]

    return Contestant("vollib", version("vollib"), volatility, greeks, lambda raw: np.array(raw).T, book)


def _none(_: Any) -> Any:
    return None


def _rows(*columns: np.ndarray) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))
