"""What accumulates in a market: volume, open interest, last trades. One product, all its contracts at once.

Arrays are (expiries, 2, strikes), calls before puts; quantities in contracts.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np

from aro.quant.arrays import FloatArray
from feed_generator.synthetic.listing import Listing
from feed_generator.synthetic.markets import Market
from feed_generator.synthetic.quotes import Sides, Valuation

OI_PERIOD_MS: Final = 60_000
"""Exchanges disseminate open interest about once a minute."""

_ACTIVITY_WIDTH: Final = 0.9
"""Trading falls off with exp(-½·(distance/width)²), distance in standard deviations from the money."""
_QUIET_SHARE: Final = 2e-4
_LATER_EXPIRY_SHARE: Final = 0.35
"""Each later expiry trades this share of the one before it."""
_OI_CENTRE: Final = 1.1
_OI_WIDTH: Final = 0.8
_OI_ELSEWHERE: Final = 0.02
_OI_NOISE: Final = 0.35
_ROUND: Final = ((20, 2.5), (10, 2.0), (5, 1.4))
"""Open interest gathers at strikes that are multiples of this many steps."""
_OI_TURNOVER: Final = (-0.25, 0.3)
"""Share of the volume that closes (negative) or opens positions, between these bounds."""

Key = tuple[date, int]
"""A column of contracts: expiry and number of the strike on the step grid."""


VOLUME, OPEN_INTEREST, OI_BASE, VOLUME_AT_OI, LAST, PREV_CLOSE = range(6)
"""Rows of the state: `OI_BASE` is yesterday's open interest, `VOLUME_AT_OI` the volume when it last moved."""


class Book:
    """State of every contract that was ever listed; `state` holds those that are listed now.

    Invariants: volume never falls within a session; |open interest change| of the day <= volume of the day;
    between two disseminations |ΔOI| <= the volume traded between them; open interest >= 0.
    """

    def __init__(self, market: Market, rng: np.random.Generator) -> None:
        self._market = market
        self._rng = rng
        self._keys: tuple[tuple[date, ...], tuple[int, ...]] = ((), ())
        self._kept: dict[Key, FloatArray] = {}
        self._last_oi = -1
        self.state: FloatArray = np.empty((6, 0, 2, 0))

    def list_contracts(self, expiries: Sequence[date], strikes: Sequence[int], fresh: FloatArray) -> None:
        """Make exactly these the listed contracts.

        `fresh` (6, expiries, 2, strikes) is the state of contracts not seen before; others come back as they were.
        """
        self._remember(set(expiries))
        self._keys = (tuple(expiries), tuple(strikes))
        self.state = fresh.copy()
        for e, expiry in enumerate(expiries):
            for s, strike in enumerate(strikes):
                kept = self._kept.get((expiry, strike))
                if kept is not None:
                    self.state[:, e, :, s] = kept

    def opening(
        self,
        valuation: Valuation,
        listing: Listing,
        *,
        prev_close: FloatArray,
        last: FloatArray,
        seconds: float,
    ) -> FloatArray:
        """State, for `list_contracts`, of a market that has been trading for `seconds` today.

        `last` is what trades now would be at; contracts that did not trade have none.
        """
        distance = valuation.distance
        volume = self._rng.poisson(self.rates(distance) * seconds).astype(np.float64)
        is_above = np.array(listing.strikes) > valuation.forward
        out_of_the_money = np.stack((is_above, ~is_above), axis=1)
        signed = np.where(out_of_the_money, distance[:, np.newaxis, :], -distance[:, np.newaxis, :])
        hump = np.exp(-0.5 * ((signed - _OI_CENTRE) / _OI_WIDTH) ** 2) + _OI_ELSEWHERE
        noise = np.exp(_OI_NOISE * self._rng.standard_normal(hump.shape))
        later = _LATER_EXPIRY_SHARE ** np.arange(hump.shape[0])[:, np.newaxis, np.newaxis]
        interest = np.floor(self._market.open_interest * hump * noise * later * _roundness(listing.numbers))
        change = np.trunc(volume * self._rng.uniform(*_OI_TURNOVER, hump.shape))
        half = np.floor(0.5 * interest)
        change = np.clip(change, -half, half)
        last = np.where(volume > 0.0, last, np.nan)
        return np.stack((volume, interest, interest - change, volume, last, prev_close))

    def rates(self, distance: FloatArray) -> FloatArray:
        """Contracts per second, (expiries, 2, strikes)."""
        near = np.exp(-0.5 * (distance / _ACTIVITY_WIDTH) ** 2) + _QUIET_SHARE
        later = _LATER_EXPIRY_SHARE ** np.arange(distance.shape[0])
        rate = self._market.contracts_per_second * near * later[:, np.newaxis]
        return np.repeat(rate[:, np.newaxis, :], 2, axis=1)

    def trade(self, seconds: float, distance: FloatArray, sides: Sides, now_ms: int) -> None:
        """Let `seconds` of trading happen at these quotes. What did not trade keeps its old last price."""
        traded = self._rng.poisson(self.rates(distance) * seconds)
        buys = self._rng.random(traded.shape) < 0.5
        at = np.where(buys | ~sides.has_bid, sides.ask, sides.bid)
        self.state[VOLUME] += traded
        self.state[LAST] = np.where(traded > 0, at, self.state[LAST])
        minute = now_ms // OI_PERIOD_MS
        if minute != self._last_oi:
            self._last_oi = minute
            self._disseminate()

    def new_session(self, prev_close: FloatArray) -> None:
        """Volumes and changes start again; `prev_close` (expiries, 2, strikes) is what yesterday ended at."""
        self._kept.clear()
        self.state[VOLUME] = 0.0
        self.state[VOLUME_AT_OI] = 0.0
        self.state[OI_BASE] = self.state[OPEN_INTEREST]
        self.state[LAST] = np.nan
        self.state[PREV_CLOSE] = prev_close

    def _disseminate(self) -> None:
        state = self.state
        traded = state[VOLUME] - state[VOLUME_AT_OI]
        change = np.trunc(traded * self._rng.uniform(*_OI_TURNOVER, traded.shape))
        state[OPEN_INTEREST] = np.maximum(state[OPEN_INTEREST] + change, 0.0)
        state[VOLUME_AT_OI] = state[VOLUME]

    def _remember(self, listed: set[date]) -> None:
        expiries, strikes = self._keys
        for e, expiry in enumerate(expiries):
            for s, strike in enumerate(strikes):
                self._kept[expiry, strike] = self.state[:, e, :, s].copy()
        for key in [key for key in self._kept if key[0] not in listed]:
            del self._kept[key]


def _roundness(strikes: Sequence[int]) -> FloatArray:
    result = np.ones(len(strikes))
    for steps, factor in reversed(_ROUND):
        result = np.where(np.asarray(strikes) % steps == 0, factor, result)
    return result
