"""What a product is: the words that reference data is written in. Weekdays are Python's (Monday is 0)."""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

Exchange = Literal["NSE", "BSE", "US"]
ExerciseStyle = Literal["european", "american"]

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)
ALWAYS: Final = date.min


class WeeklyRule(NamedTuple):
    """From nominal expiry day `since` on, a contract expires on each of `weekdays` (none: no weeklies)."""

    since: date
    weekdays: tuple[int, ...]


class MonthlyRule(NamedTuple):
    """From nominal expiry day `since` on, the monthly expires on this weekday: the `last` or the `third` one."""

    since: date
    which: Literal["last", "third"]
    weekday: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What one contract is. Prices in the quote currency per unit of the underlying.

    `contract_size` is units of the underlying per contract. `tick_size` is the smallest tick; premiums of
    `coarse_from` and above move in `coarse_tick` (US penny-pilot classes), where there is such a threshold.
    """

    since: date
    contract_size: int
    tick_size: float
    strike_step: float
    coarse_from: float | None = None
    coarse_tick: float | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A traded underlying.

    `rate` and `dividend_yield` are continuous annual decimals that the feed discounts and carries with.
    """

    name: str
    description: str
    exchange: Exchange
    currency: str
    timezone: str
    exercise_style: ExerciseStyle
    rate: float
    dividend_yield: float
    weekly: tuple[WeeklyRule, ...]
    monthly: tuple[MonthlyRule, ...]
    history: tuple[Terms, ...]

    def terms(self, on: date) -> Terms:
        """The terms of a contract that expires on `on`.

        Exchanges revise lots by expiry, so a live contract is asked for by its expiry. For a capture from the
        past pass the capture's day: its long-dated contracts had the lot of their time, and were revised later.
        Days before the first known entry get that entry.
        """
        current = self.history[0]
        for terms in self.history[1:]:
            if terms.since > on:
                break
            current = terms
        return current
