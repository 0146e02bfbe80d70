"""What the routes ask: which states an answer needs, and what is computed from them."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from flask import Response

from analytics_service import premiums
from analytics_service.answering import Desk, Query
from analytics_service.answers import ExpectedMoveAnswer, HistoryColumns, PcrAnswer, StraddleAnswer
from analytics_service.candles import Candles, Interval
from analytics_service.market import channels_of
from analytics_service.series import HEAVY_MS, Series, Spelled, columns, spelled
from aro.contracts.analytics import ChainMetrics, EnrichedChain, SurfaceState
from aro.contracts.names import surface_channel
from aro.contracts.products import product
from aro.quant.arrays import FloatArray, IntArray
from aro.quant.ratios import put_call_ratio

Answer = TypeVar("Answer", bound=msgspec.Struct)
LONG_INTERVALS: Final = ("15m", "1h", "1d")
USUAL_INTERVAL: Final[Interval] = "1m"


def instant(query: Query) -> int | None:
    """The instant that a question is about; None is now. `to` ends a history, and nothing later is looked at."""
    given = [query[name] for name in ("as_of", "to") if query.get(name) is not None]
    return min(given, default=None)


def wants_history(query: Query) -> bool:
    return any(query.get(name) is not None for name in ("from", "to", "interval"))


def is_long(query: Query, now_ms: int) -> bool:
    """Whether a history reads more than a light question may."""
    if not wants_history(query):
        return False
    start = query["from"]
    return query["interval"] in LONG_INTERVALS or (start is not None and (instant(query) or now_ms) - start > HEAVY_MS)


class Asking:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.market = desk.market
        self.series = Series(desk.market)

    def of_chains(
        self, route: str, name: str, query: Query, compute: Callable[[list[EnrichedChain]], msgspec.Struct]
    ) -> Response:
        """An answer made of the chain of each expiry that the question is about."""
        at = instant(query)
        chosen = self._chosen(name, query) if at is None else ()

        def computed() -> msgspec.Struct:
            expiries = chosen or self._chosen(name, query)
            return compute([self.market.chain(name, expiry, at) for expiry in expiries])

        channels = channels_of("chain", name, chosen)
        return self.desk.respond(route, name, query, computed, at=at, channels=channels)

    def of_metrics(
        self, route: str, name: str, query: Query, compute: Callable[[list[ChainMetrics]], msgspec.Struct]
    ) -> Response:
        """An answer made of the metrics of each expiry, and of their past."""
        at = instant(query)
        chosen = self._chosen(name, query) if at is None else ()

        def computed() -> msgspec.Struct:
            expiries = chosen or self._chosen(name, query)
            return compute([self.market.metrics(name, expiry, at) for expiry in expiries])

        channels = channels_of("metrics", name, chosen)
        long = is_long(query, self.market.clock.now_ms())
        return self.desk.respond(route, name, query, computed, at=at, channels=channels, heavy=long)

    def of_surface(
        self,
        route: str,
        name: str,
        query: Query,
        compute: Callable[[SurfaceState], msgspec.Struct],
        *,
        heavy: bool = False,
    ) -> Response:
        at = instant(query)
        product(name)

        def computed() -> msgspec.Struct:
            return compute(self.market.surface(name, at))

        channels = [surface_channel(name)]
        return self.desk.respond(route, name, query, computed, at=at, channels=channels, heavy=heavy)

    # --- with a history --------------------------------------------------------------------

    def pcr(self, query: Query, metrics: list[ChainMetrics]) -> PcrAnswer:
        answer = premiums.pcr(metrics, query["scope"], explain=query["explain"])
        if not wants_history(query):
            return answer
        span = self.span(query, metrics)
        if len(metrics) == 1:
            return msgspec.structs.replace(answer, history=self._of_one(metrics[0], premiums.PCR_HISTORY, span))
        return msgspec.structs.replace(answer, history=self._pooled(metrics, span))

    def straddle(self, query: Query, metrics: list[ChainMetrics]) -> StraddleAnswer:
        answer = premiums.straddle(metrics[0], explain=query["explain"])
        return self._with_history(answer, query, metrics, premiums.STRADDLE_HISTORY)

    def expected_move(self, query: Query, metrics: list[ChainMetrics]) -> ExpectedMoveAnswer:
        """The history is that of the nearest expiry."""
        answer = premiums.expected_move(metrics, query["scope"], explain=query["explain"])
        return self._with_history(answer, query, metrics, premiums.MOVE_HISTORY)

    def span(self, query: Query, states: Sequence[Any]) -> Spelled:
        """That of the history that is asked for. Without `to` it ends with the newest of `states`."""
        newest = max(states, key=lambda state: state.source_ts)
        end = instant(query) or newest.source_ts
        return spelled(product(newest.product), query["interval"] or USUAL_INTERVAL, query["from"], end)

    def _with_history(self, answer: Answer, query: Query, metrics: list[ChainMetrics], fields: Sequence[str]) -> Answer:
        if not wants_history(query):
            return answer
        found = self._of_one(metrics[0], fields, self.span(query, metrics))
        return msgspec.structs.replace(answer, history=found)

    def _of_one(self, metrics: ChainMetrics, fields: Sequence[str], span: Spelled) -> HistoryColumns:
        return self.series.history(product(metrics.product), metrics.expiry, fields, span)

    def _pooled(self, metrics: Sequence[ChainMetrics], span: Spelled) -> HistoryColumns:
        """Ratios of sums, in the intervals in which every expiry has a value: a partial sum would be a jump."""
        name = metrics[0].product
        parts = [self.series.several(name, item.expiry, premiums.PCR_SUMS, span) for item in metrics]
        sums = {field: _added([part[field] for part in parts]) for field in premiums.PCR_SUMS}
        ratios = {
            "pcr_oi": _ratio(sums["put_open_interest"], sums["call_open_interest"]),
            "pcr_volume": _ratio(sums["put_volume"], sums["call_volume"]),
        }
        return columns(product(name), span, {**ratios, **sums})

    def _chosen(self, name: str, query: Query) -> tuple[str, ...]:
        return self.market.choose(name, query["expiry"], query.get("scope", "expiry"), instant(query))


def _added(parts: Sequence[Candles]) -> Candles:
    """Closes summed where all parts have one."""
    common = parts[0].start
    for part in parts[1:]:
        common = np.intersect1d(common, part.start)
    closes = [part.close[np.isin(part.start, common)] for part in parts]
    return _closes(common, np.sum(closes, axis=0))


def _ratio(puts: Candles, calls: Candles) -> Candles:
    """Where both are known; NaN where the denominator is 0."""
    common, of_puts, of_calls = np.intersect1d(puts.start, calls.start, return_indices=True)
    return _closes(common, put_call_ratio(puts.close[of_puts][:, None], calls.close[of_calls][:, None]))


def _closes(starts: IntArray, closes: FloatArray) -> Candles:
    return Candles(starts, closes, closes, closes, closes, np.ones(len(starts), dtype=np.int64))
