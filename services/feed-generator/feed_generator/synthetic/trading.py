"""One product's synthetic market: which contracts are listed, what they are worth, quoted and traded at."""

import zlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np

from aro.adapters.clock import utc
from aro.contracts.calendars import (
    Session,
    expiry_instant,
    is_open,
    live_expiries,
    local_day,
    monthly_expiry,
    session,
)
from aro.contracts.market import UnderlyingTick
from aro.contracts.products import Product
from aro.quant.arrays import FloatArray
from aro.quant.expiry import SECONDS_PER_YEAR, years_to_expiry
from aro.quant.ssvi import surface_total_variance
from feed_generator.provider import UNNUMBERED, Batch
from feed_generator.synthetic import quotes
from feed_generator.synthetic.book import Book
from feed_generator.synthetic.listing import Listing
from feed_generator.synthetic.markets import FEWEST_EXPIRIES, Market
from feed_generator.synthetic.messages import chain_messages, truth
from feed_generator.synthetic.scenarios import Scenario
from feed_generator.synthetic.underlying import Underlying

STRIKES_EACH_SIDE: Final = 40
_RECENTRE_BEYOND: Final = 8
"""Steps between spot and the centre of the strikes before they are listed anew; keeps the set stable."""
_CONSTANT_MATURITY_MS: Final = 31 * 24 * 3_600_000
"""The last expiry lies beyond 30 days all day long, for which it is decided once."""
_TRADING_DAYS_PER_YEAR: Final = 252
_ALREADY_TRADED_SECONDS: Final = 2 * 3600.0
"""A market that never closes starts as if it were two hours into its day."""
_OVERNIGHT_DEVIATION: Final = 0.006
_DAY_IN_YEARS: Final = 1.0 / 365.0
_SPREAD_NOISE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Hours:
    """When a market trades: around the clock, or in its exchange's sessions."""

    exchange: bool

    def is_open(self, product: Product, now: datetime) -> bool:
        return is_open(product, now) if self.exchange else True

    def clock_rate(self, hours: Session | None) -> float:
        """Variance time per calendar time: a market that sleeps has its year's variance in its sessions."""
        if not self.exchange or hours is None:
            return 1.0
        return SECONDS_PER_YEAR / (_TRADING_DAYS_PER_YEAR * (hours.close - hours.open).total_seconds())


class TradedProduct:
    """The market of one product. Its random numbers depend on the seed and its name only."""

    def __init__(
        self, product: Product, market: Market, scenario: Scenario, hours: Hours, seed: int, *, with_truths: bool = True
    ) -> None:
        self._product = product
        self._market = market
        self._scenario = scenario
        self._hours = hours
        self._with_truths = with_truths
        self._rng = np.random.default_rng([seed, zlib.crc32(product.name.encode())])
        self._underlying: Underlying | None = None
        self._book = Book(market, self._rng)
        self._listing = Listing((), (), (), ())
        self._listed_on = date.min
        self._prev_spot = market.spot * float(np.exp(_OVERNIGHT_DEVIATION * self._rng.standard_normal()))
        self._started_ms = 0
        self._last_ms = 0
        self._day = date.min
        self._session_seconds = 0.0
        self._spot = market.spot
        self._values: FloatArray = np.empty((0, 2, 0))
        self._terms = product.history[-1]

    def tick(self, now_ms: int) -> Batch:
        now = utc(now_ms)
        if not self._hours.is_open(self._product, now):
            return Batch()
        underlying, seconds = self._pass_time(now, now_ms)
        self._spot = round(underlying.spot, 2)
        self._list_contracts(now_ms, underlying)
        valuation, years = self._value(now_ms, self._spot, underlying)
        self._values = valuation.value
        spread = valuation.spread * np.exp(_SPREAD_NOISE * self._rng.standard_normal(valuation.spread.shape))
        sides = quotes.quote(valuation.value, spread, self._terms)
        self._book.trade(seconds, valuation.distance, sides, now_ms)
        listing = self._listing
        chains = chain_messages(
            self._product, listing, now_ms, self._spot, valuation, sides, self._book.state, self._sizes(valuation)
        )
        truths: list[dict[str, Any]] = [
            truth(listing, row, chains[row], float(years[row, 0]), valuation, underlying.surface())
            for row in range(len(chains) if self._with_truths else 0)
        ]
        return Batch([self._tick_message(now_ms)], chains, truths)

    def _pass_time(self, now: datetime, now_ms: int) -> tuple[Underlying, float]:
        """Let the market live until `now`; the seconds that passed since the last tick."""
        day = local_day(self._product, now)
        if self._underlying is None:
            rate = self._hours.clock_rate(session(self._product, day))
            self._underlying = Underlying(self._market, self._scenario, self._rng, clock_rate=rate)
            self._started_ms, self._last_ms, self._day = now_ms, now_ms, day
            self._session_seconds = self._traded_so_far(now, day)
        seconds = max(now_ms - self._last_ms, 0) / 1000.0
        self._last_ms = now_ms
        self._underlying.advance(seconds)
        if day != self._day:
            self._day, self._session_seconds = day, 0.0
            self._prev_spot = self._spot
            self._book.new_session(quotes.closing(self._values, self._terms))
            seconds = 0.0
        self._session_seconds += seconds
        return self._underlying, seconds

    def _traded_so_far(self, now: datetime, day: date) -> float:
        hours = session(self._product, day)
        if not self._hours.exchange or hours is None:
            return _ALREADY_TRADED_SECONDS
        return (now - hours.open).total_seconds()

    # --- Listing -----------------------------------------------------------------------
    def _list_contracts(self, now_ms: int, underlying: Underlying) -> None:
        contracts = self._contracts(now_ms)
        numbers = self._strike_numbers(contracts[0][0])
        if (contracts, numbers) == (self._listing.contracts, self._listing.numbers):
            return
        self._terms = self._product.terms(contracts[0][0])
        step = self._terms.strike_step
        futures = tuple(_has_future(self._product, expiry) for expiry, _ in contracts)
        self._listing = Listing(contracts, numbers, tuple(number * step for number in numbers), futures)
        # What was never listed before opens as it closed yesterday, at yesterday's spot.
        closed, _ = self._value(now_ms, self._prev_spot, underlying, years_ago=_DAY_IN_YEARS)
        current, _ = self._value(now_ms, self._spot, underlying)
        fresh = self._book.opening(
            current,
            self._listing,
            prev_close=quotes.closing(closed.value, self._terms),
            last=quotes.closing(current.value, self._terms),
            seconds=self._session_seconds,
        )
        self._book.list_contracts([expiry for expiry, _ in contracts], numbers, fresh)

    def _contracts(self, now_ms: int) -> tuple[tuple[date, int], ...]:
        """(label, expiry instant in ms) of the contracts that are alive, nearest first."""
        product, market, listed = self._product, self._market, self._listing.contracts
        now = utc(now_ms)
        day = local_day(product, now)
        if listed and self._listed_on == day and now_ms < listed[0][1]:
            return listed
        self._listed_on = day
        labels = live_expiries(product, now, market.weeklies, market.monthlies)
        special = self._special()
        contracts = [(day, round(expiry_instant(product, day).timestamp() * 1000)) for day in labels]
        if special is not None:
            contracts = [contract for contract in contracts if contract[0] != special[0]]
            if now_ms < special[1]:
                contracts.insert(0, special)
        within = sum(expires_ms <= now_ms + _CONSTANT_MATURITY_MS for _, expires_ms in contracts)
        return tuple(contracts[: max(FEWEST_EXPIRIES, within + 1)])

    def _special(self) -> tuple[date, int] | None:
        """The contract that expires within the scenario, whatever day it is."""
        if self._scenario.expires_in is None:
            return None
        expires_ms = self._started_ms + round(self._scenario.expires_in * 1000)
        return local_day(self._product, utc(expires_ms)), expires_ms

    def _strike_numbers(self, expiry: date) -> tuple[int, ...]:
        at = self._spot / self._product.terms(expiry).strike_step
        listed = self._listing.numbers
        if listed and abs(at - (listed[0] + listed[-1]) / 2) <= _RECENTRE_BEYOND:
            return listed
        each_side = self._market.strikes_each_side or STRIKES_EACH_SIDE
        centre = max(round(at), each_side + 1)
        return tuple(range(centre - each_side, centre + each_side + 1))

    # --- Values ------------------------------------------------------------------------
    def _value(
        self, now_ms: int, spot: float, underlying: Underlying, *, years_ago: float = 0.0
    ) -> tuple[quotes.Valuation, FloatArray]:
        product, listing = self._product, self._listing
        years = years_to_expiry(now_ms, [[expiry_ms] for _, expiry_ms in listing.contracts]) + years_ago
        carry = product.rate - product.dividend_yield
        forward = np.array([[underlying.forward(spot, float(t), carry)] for t in years[:, 0]])
        strikes = np.array(listing.strikes)
        variance = surface_total_variance(np.log(strikes / forward), years, underlying.surface())
        discount = np.exp(-product.rate * years)
        return quotes.value(forward, strikes, years, variance, discount, self._market.spread), years

    def _sizes(self, valuation: quotes.Valuation) -> FloatArray:
        """Contracts at the best bid and ask: (2, expiries, 2, strikes)."""
        noise = self._rng.standard_exponential((2, *valuation.value.shape))
        return np.ceil(noise * self._book.rates(valuation.distance) * 20.0)

    def _tick_message(self, now_ms: int) -> UnderlyingTick:
        return UnderlyingTick(
            product=self._product.name,
            price=self._spot,
            source_seq=UNNUMBERED,
            source_ts=now_ms,
            origin="synthetic",
            prev_close=round(self._prev_spot, 2),
        )


def _has_future(product: Product, expiry: date) -> bool:
    return product.exchange != "US" and expiry == monthly_expiry(product, expiry.year, expiry.month)
