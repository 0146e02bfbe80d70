"""Parameters of each synthetic market.

Spot levels and volatilities are near those of 2025 and 2026; the surfaces keep η(1+|ρ|) <= 2 and 0 < γ <= 1/2, under
which SSVI has neither butterfly nor calendar arbitrage at any expiry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from aro.contracts.products import PRODUCTS, Product, product
from aro.contracts.universe import underlyings
from aro.quant.ssvi import SsviParameters

DEFAULT_PRODUCTS: Final = ("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "AAPL")


@dataclass(frozen=True, slots=True)
class Market:
    """How one product's market looks when calm.

    Attributes
    ----------
    spot : level of the underlying at the start.
    surface : SSVI parameters at the calm level of volatility.
    basis : standard deviation of the basis beyond carry, as a fraction of spot.
    contracts_per_second : traded in one at-the-money contract of the front expiry.
    open_interest : contracts open in that contract.
    spread : half-spreads relative to those of the most liquid market.
    weeklies, monthlies : listed expiries of each cycle; the nearest `FEWEST_EXPIRIES` of both are quoted, and then more
        until one of them lies beyond 30 days, which constant maturities and variance indices need.
    strikes_each_side : of the money; None is what indices have.
    """

    spot: float
    surface: SsviParameters
    basis: float
    contracts_per_second: float
    open_interest: float
    spread: float
    weeklies: int
    monthlies: int
    strikes_each_side: int | None = None


FEWEST_EXPIRIES: Final = 4
MOST_EXPIRIES: Final = 6
"""Three weeklies and three monthlies. The third is quoted on the last days of a month of four weeks only."""
_STOCK_STRIKES_EACH_SIDE: Final = 33
"""With three monthlies, 402 contracts per stock."""
_STOCK_LONG_VOL: Final = 1.05


def _surface(rho: float, eta: float, sigma_zero: float, sigma_infinity: float) -> SsviParameters:
    return SsviParameters(rho=rho, eta=eta, gamma=0.45, sigma_zero=sigma_zero, sigma_infinity=sigma_infinity, kappa=4.0)


MARKETS: Final[Mapping[str, Market]] = MappingProxyType(
    {
        # spot, surface (rho, eta, sigma zero, sigma infinity), basis, contracts/s, open interest, spread, expiries
        "NIFTY": Market(24_560.0, _surface(-0.35, 0.8, 0.125, 0.15), 4e-4, 20.0, 60_000.0, 1.0, 3, 3),
        "BANKNIFTY": Market(58_000.0, _surface(-0.30, 0.8, 0.145, 0.17), 4e-4, 8.0, 20_000.0, 1.2, 0, 3),
        "FINNIFTY": Market(27_500.0, _surface(-0.30, 0.8, 0.14, 0.165), 5e-4, 0.5, 2_000.0, 2.5, 0, 3),
        "MIDCPNIFTY": Market(13_000.0, _surface(-0.35, 0.8, 0.17, 0.20), 5e-4, 0.8, 3_000.0, 2.5, 0, 3),
        "NIFTYNXT50": Market(69_500.0, _surface(-0.30, 0.8, 0.18, 0.20), 6e-4, 0.1, 500.0, 4.0, 0, 3),
        "SENSEX": Market(80_500.0, _surface(-0.35, 0.8, 0.125, 0.15), 4e-4, 12.0, 30_000.0, 1.3, 3, 3),
        "BANKEX": Market(65_000.0, _surface(-0.30, 0.8, 0.15, 0.175), 6e-4, 0.1, 500.0, 4.0, 0, 3),
        "SPY": Market(680.0, _surface(-0.50, 0.9, 0.13, 0.18), 1e-4, 15.0, 15_000.0, 0.8, 3, 3),
        "AAPL": Market(270.0, _surface(-0.25, 0.7, 0.24, 0.28), 1e-4, 6.0, 8_000.0, 1.2, 3, 3),
    }
)


def market(name: str) -> tuple[Product, Market]:
    """Raises `UnknownProduct` if no such product is listed."""
    listed = product(name)
    return listed, MARKETS.get(name) or _stock(name)


def universe_names(universe: str) -> tuple[str, ...]:
    """What is fed of `universe` when no products are named: all of it, or the defaults."""
    if universe != "nse":
        return DEFAULT_PRODUCTS
    indices = (item.name for item in PRODUCTS.values() if item.exchange == "NSE" and item.name in MARKETS)
    return (*indices, *(line.name for line in underlyings()))


@cache
def _stocks() -> Mapping[str, Market]:
    return {
        line.name: Market(
            line.spot,
            _surface(-0.2, 0.7, line.volatility, line.volatility * _STOCK_LONG_VOL),
            5e-4,
            contracts_per_second=0.5,
            open_interest=2_000.0,
            spread=2.5,
            weeklies=0,
            monthlies=3,
            strikes_each_side=_STOCK_STRIKES_EACH_SIDE,
        )
        for line in underlyings()
    }


def _stock(name: str) -> Market:
    return _stocks()[name]
