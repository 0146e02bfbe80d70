"""Single contracts through time, read from stored chains."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from analytics_service.answers import LegAnswer
from analytics_service.candles import Candles, of_points
from analytics_service.legs import Contract, Leg
from analytics_service.market import MONGO, Market
from analytics_service.series import Spelled
from analytics_service.solved import array
from analytics_service.strategies import HISTORY, QUOTED, totals
from aro.contracts.analytics import Column
from aro.contracts.problems import InvalidRequest
from aro.contracts.symbols import contract_symbol
from aro.runtime.queries import HOUR_MS, SpanRule

PAGE: Final = 300
"""Chains held at once: 3 MB packed."""
CONTRACT_RULE: Final = SpanRule(usual_ms=HOUR_MS, longest_ms=HOUR_MS)
"""Of a contract's bars: an hour of chains, one a second, is 3,600 of them."""
MOST_STEPS: Final = 240
"""Of a strategy's history: chains that are read for each expiry."""


class _Quotes(msgspec.Struct):
    """The columns of `bar_metrics.CONTRACT_METRICS`; the decoder skips the rest."""

    bid: Column
    ask: Column
    mid: Column
    ltp: Column
    volume: Column
    open_interest: Column
    iv: Column
    delta: Column
    gamma: Column
    vega: Column
    theta: Column
    rho: Column


class _Chain(msgspec.Struct):
    product: str
    expiry: str
    source_ts: int
    strikes: list[float]
    calls: _Quotes
    puts: _Quotes


_chain = msgspec.json.Decoder(_Chain)


class StoredLegs:
    def __init__(self, market: Market) -> None:
        self._market = market

    def candles(self, contract: Contract, metric: str, span: Spelled) -> Candles:
        """Bars of one contract, over a span of `CONTRACT_RULE`."""
        self._market.require(MONGO)
        ts: list[int] = []
        values: list[float | None] = []
        for chain in self._chains(contract, span.start_ms, span.end_ms):
            side = chain.calls if contract.option_type == "CE" else chain.puts
            if contract.strike in chain.strikes:
                ts.append(chain.source_ts)
                values.append(getattr(side, metric)[chain.strikes.index(contract.strike)])
        return of_points(span.grid, ts, array(values))

    def history(self, name: str, legs: Sequence[Leg], nearest: str, span: Spelled) -> dict[str, Candles]:
        """What the legs were together at the end of each interval, by name of `strategies.HISTORY`.

        An interval in which one of the legs' chains is missing has no value.
        """
        if len(span.grid) - 1 > MOST_STEPS:
            raise _bad_from(f"A strategy's history has at most {MOST_STEPS} intervals.")
        self._market.require(MONGO)
        rows = [
            (start, totals([_leg(leg, chains[leg.expiry or nearest]) for leg in legs]))
            for start, chains in self._steps(name, {leg.expiry or nearest for leg in legs}, span)
            if all(leg.strike in chains[leg.expiry or nearest].strikes for leg in legs)
        ]
        starts = [start for start, _ in rows]
        return {field: of_points(span.grid, starts, array([row[field] for _, row in rows])) for field in HISTORY}

    def _steps(self, name: str, expiries: set[str], span: Spelled) -> Iterator[tuple[int, Mapping[str, _Chain]]]:
        """The last chain of every expiry in each interval, where each has one."""
        for start, stop in pairwise(span.grid.tolist()):
            chains: dict[str, _Chain] = {}
            for expiry in sorted(expiries):
                data = self._market.stored_chains.chain_at(name, expiry, min(stop - 1, span.end_ms))
                chain = _chain.decode(data) if data else None
                if chain is None or chain.source_ts < start:
                    break
                chains[expiry] = chain
            else:
                yield start, chains

    def _chains(self, contract: Contract, start_ms: int, end_ms: int) -> Iterator[_Chain]:
        cursor: str | None = None
        while True:
            page = self._market.stored_chains.chains(
                contract.product, contract.expiry, start_ms=start_ms, end_ms=end_ms, limit=PAGE, cursor=cursor
            )
            yield from (_chain.decode(item.data) for item in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return


def _leg(leg: Leg, chain: _Chain) -> LegAnswer:
    side = chain.calls if leg.option_type == "CE" else chain.puts
    at = chain.strikes.index(leg.strike)
    return LegAnswer(
        symbol=contract_symbol(chain.product, chain.expiry, leg.strike, leg.option_type),
        quantity=leg.quantity,
        expiry=chain.expiry,
        strike=leg.strike,
        option_type=leg.option_type,
        **{name: getattr(side, name)[at] for name in QUOTED},
    )


def _bad_from(reason: str) -> InvalidRequest:
    return InvalidRequest("not valid: from", errors={"from": [reason]})
