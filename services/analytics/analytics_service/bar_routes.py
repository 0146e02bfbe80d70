"""Bars of prices and metrics."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from flask import Response

from analytics_service.answering import Query
from analytics_service.answers import BarsAnswer, OhlcBar
from analytics_service.asking import Asking, instant, is_long
from analytics_service.bar_metrics import SPOT, contract_metric, product_metric
from analytics_service.examples import example
from analytics_service.legs import Contract, parse_symbol
from analytics_service.schemas import BarsQuery
from analytics_service.series import bars_answer, spelled
from analytics_service.stored_legs import CONTRACT_RULE, StoredLegs
from aro.contracts.names import chain_channel, metrics_channel, ticks_channel
from aro.contracts.problems import InvalidRequest, NotFound, UnknownExpiry, UnknownProduct
from aro.contracts.products import product as product_named
from aro.contracts.tables import csv_text
from aro.runtime.api import Blueprint

SYMBOL: Final = {
    "name": "symbol",
    "in": "path",
    "required": True,
    "description": "A product, or a contract such as NIFTY-20261229-24550-CE",
    "schema": {"type": "string", "maxLength": 60, "examples": ["NIFTY", "NIFTY-20261229-24550-CE"]},
}


def bar_routes(asking: Asking) -> Blueprint:
    blueprint = Blueprint("ohlc", __name__, url_prefix="/api/v1/ohlc", description="Bars of prices and metrics")
    stored = StoredLegs(asking.market)

    @blueprint.get("/<symbol>")
    @blueprint.doc(parameters=[SYMBOL])
    @blueprint.arguments(BarsQuery, location="query")
    @blueprint.answers(
        BarsAnswer, "Bars, and where there are none", problems=(UnknownProduct, UnknownExpiry, NotFound), csv=True,
        headers=("ETag", "As-Of", "Cache-Control"), example=example("ohlc"),
    )  # fmt: skip
    def ohlc(query: Query, symbol: str) -> Response:
        """Open, high, low and close of the underlying, of any metric of an expiry, or of one contract.

        Bars are absent where there is no data, and `gaps` lists those stretches: nothing is carried forward. The last
        bar is still forming unless `complete`. Days and hours are those of the exchange. `metric` is `spot` of a
        product and `ltp` of a contract if left out; bars of a contract are made of whole chains, an hour at most.
        """
        contract = parse_symbol(symbol)
        if contract is not None:
            return _of_contract(asking, stored, symbol, contract, query)
        return _of_product(asking, symbol, query)

    return blueprint


def _of_product(asking: Asking, name: str, query: Query) -> Response:
    product_named(name)
    metric = product_metric(query["metric"])
    at = instant(query)
    expiry = None if metric == SPOT else asking.market.choose(name, query["expiry"], "expiry", at)[0]
    channel = ticks_channel(name) if expiry is None else metrics_channel(name, expiry)

    def compute() -> BarsAnswer:
        end = at if at is not None else _newest(asking, name, expiry)
        span = spelled(product_named(name), query["interval"], query["from"], end)
        candles = asking.series.candles(name, expiry, metric, span)
        return bars_answer(product_named(name), name, expiry, metric, span, candles)

    long = is_long(query, asking.market.clock.now_ms())
    return asking.desk.respond("ohlc", name, query, compute, at=at, channels=[channel], heavy=long, table=table_of)


def _of_contract(asking: Asking, stored: StoredLegs, symbol: str, contract: Contract, query: Query) -> Response:
    metric = contract_metric(query["metric"])
    if query["interval"] == "1d":
        reason = "Bars of a contract are made of whole chains, an hour at most: there are none of a day."
        raise InvalidRequest("not valid: from", errors={"from": [reason]})
    at = instant(query)
    name = contract.product

    def compute() -> BarsAnswer:
        end = at if at is not None else asking.market.metrics(name, contract.expiry, None).source_ts
        span = spelled(product_named(name), query["interval"], query["from"], end, CONTRACT_RULE)
        candles = stored.candles(contract, metric, span)
        return bars_answer(product_named(name), symbol, contract.expiry, metric, span, candles)

    channels = [chain_channel(name, contract.expiry)]
    return asking.desk.respond("ohlc", symbol, query, compute, at=at, channels=channels, heavy=True, table=table_of)


def table_of(answer: BarsAnswer) -> bytes:
    """CSV: one line per bar."""
    rows: Iterable[dict[str, Any]] = (msgspec.structs.asdict(bar) for bar in answer.bars)
    return csv_text(OhlcBar.__struct_fields__, rows)


def _newest(asking: Asking, name: str, expiry: str | None) -> int:
    if expiry is None:
        return asking.market.tick(name).source_ts
    return asking.market.metrics(name, expiry, None).source_ts
