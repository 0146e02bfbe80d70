"""From a question to a response: computed once per state of the data, kept, and given with ETag and As-Of."""

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, Final

import msgspec
from flask import Response, request

from analytics_service import metrics
from analytics_service.market import Market
from analytics_service.results import Gate, Result, Results
from aro.adapters import mongo
from aro.adapters.clock import iso
from aro.contracts.tables import CSV_TYPE
from aro.runtime.answers import JSON
from aro.runtime.web import preferred

SETTLED_MS: Final = 120_000
"""An instant this long past has its final state: what is stored late, is stored by then."""
SETTLED_SECONDS: Final = 60.0
UNSETTLED_SECONDS: Final = 1.0
LIVE_SECONDS: Final = 15.0
"""Live answers are kept under the positions of their channels, which move on by themselves."""
LIGHT_SECONDS: Final = 2.5
HEAVY_SECONDS: Final = 6.0
"""How long one computation may read MongoDB, all its queries together."""

Query = dict[str, Any]
Compute = Callable[[], msgspec.Struct]
_to_json = msgspec.json.Encoder()


class Desk:
    def __init__(self, market: Market, results: Results, gate: Gate) -> None:
        self.market = market
        self._results = results
        self._gate = gate

    def respond(
        self,
        route: str,
        name: str,
        query: Query,
        compute: Compute,
        *,
        at: int | None,
        channels: list[str],
        heavy: bool = False,
        table: Callable[[Any], bytes] | None = None,
    ) -> Response:
        """The answer that `compute` makes, or made when the same was asked of the same state.

        A live question (`at` None) depends on `channels`. `table` makes CSV of the answer, for who accepts that.
        """
        as_csv = table is not None and preferred(JSON, CSV_TYPE) == CSV_TYPE
        state: Hashable = at if at is not None else self.market.versions(channels)
        key = (route, name, as_csv, tuple(sorted(query.items())), state)
        found = self._results.find(key)
        if found is None:
            found = self._compute(route, key, self._seconds(at), compute, heavy, table if as_csv else None)
        else:
            metrics.cache_hits.labels(route).inc()
        return _response(found)

    def _compute(
        self,
        route: str,
        key: Hashable,
        seconds: float,
        compute: Compute,
        heavy: bool,
        table: Callable[[Any], bytes] | None,
    ) -> Result:
        def computed() -> Result:
            metrics.computations.labels(route).inc()
            seconds = HEAVY_SECONDS if heavy else LIGHT_SECONDS
            with metrics.compute_seconds.labels(route).time(), mongo.deadline(seconds):
                return _result(compute(), table)

        def in_turn() -> Result:
            with self._gate.turn():
                return computed()

        if not heavy:
            return self._results.get(key, seconds=seconds, compute=computed)
        with self._gate.presence():
            return self._results.get(key, seconds=seconds, compute=in_turn)

    def _seconds(self, at: int | None) -> float:
        if at is None:
            return LIVE_SECONDS
        return SETTLED_SECONDS if self.market.clock.now_ms() - at > SETTLED_MS else UNSETTLED_SECONDS


def _result(answer: Any, table: Callable[[Any], bytes] | None) -> Result:
    body = _to_json.encode(answer) if table is None else table(answer)
    etag = hashlib.blake2b(body, digest_size=12).hexdigest()
    as_of = getattr(answer, "source_ts", None) or getattr(answer, "to_ts", None)
    return Result(body, JSON if table is None else CSV_TYPE, etag, as_of)


def _response(result: Result) -> Response:
    unchanged = request.if_none_match.contains_weak(result.etag)
    response = Response(b"" if unchanged else result.body, status=304 if unchanged else 200)
    response.headers["Content-Type"] = result.media_type
    response.set_etag(result.etag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept"
    if result.as_of_ms is not None:
        response.headers["As-Of"] = iso(result.as_of_ms)
    return response
