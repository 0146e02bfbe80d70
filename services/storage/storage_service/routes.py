"""The routes of the storage service. Every one needs an access token."""

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response

from aro.adapters.paging import Page
from aro.contracts.analytics import EnrichedChain
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.queries import ExpiryQuery, NoQuery
from aro.runtime.web import json_response
from storage_service.reader import Reader
from storage_service.rows import in_rows
from storage_service.schemas import (
    ROWS,
    ChainHistoryQuery,
    ChainQuery,
    MetricsHistoryQuery,
    TickHistoryQuery,
)

Query = dict[str, Any]


def product_routes(reader: Reader, health: Health) -> Blueprint:
    blueprint = Blueprint("products", __name__, url_prefix="/api/v1/products", description="What is traded")
    blueprint.before_request(health.require_ready)

    @blueprint.get("")
    @blueprint.arguments(NoQuery, location="query")
    def products(_: Query) -> Response:
        """All products, with their terms of today and whether they have data."""
        return json_response(reader.products())

    @blueprint.get("/<product>/expiries")
    @blueprint.arguments(NoQuery, location="query")
    def expiries(_: Query, product: str) -> Response:
        """Expiries with data, nearest first."""
        return json_response(reader.expiries(product))

    return blueprint


def chain_routes(reader: Reader, health: Health) -> Blueprint:
    blueprint = Blueprint("chains", __name__, url_prefix="/api/v1/chains", description="Enriched chains and metrics")
    blueprint.before_request(health.require_ready)

    @blueprint.get("/<product>")
    @blueprint.arguments(ChainQuery, location="query")
    def chain(query: Query, product: str) -> Response:
        """The latest chain of one expiry."""
        data = reader.chain(product, query["expiry"])
        if query["shape"] == ROWS:
            return json_response(in_rows(msgspec.json.decode(data, type=EnrichedChain)))
        return Response(data, mimetype="application/json")

    @blueprint.get("/<product>/history")
    @blueprint.arguments(ChainHistoryQuery, location="query")
    def chain_history(query: Query, product: str) -> Response:
        """Chains of one expiry in a stretch of time, oldest first."""
        head, page = reader.chain_history(product, query)
        return _page(
            head, page, lambda item: _shaped(msgspec.json.decode(item.data, type=EnrichedChain), query["shape"])
        )

    @blueprint.get("/<product>/metrics")
    @blueprint.arguments(ExpiryQuery, location="query")
    def metrics(query: Query, product: str) -> Response:
        """The latest metrics of one expiry."""
        return json_response(reader.metrics(product, query["expiry"]))

    @blueprint.get("/<product>/metrics/history")
    @blueprint.arguments(MetricsHistoryQuery, location="query")
    def metrics_history(query: Query, product: str) -> Response:
        """Metrics of one expiry in a stretch of time, oldest first."""
        return _page(*reader.metrics_history(product, query))

    return blueprint


def tick_routes(reader: Reader, health: Health) -> Blueprint:
    blueprint = Blueprint("ticks", __name__, url_prefix="/api/v1/ticks", description="Prices of the underlying")
    blueprint.before_request(health.require_ready)

    @blueprint.get("/<product>/history")
    @blueprint.arguments(TickHistoryQuery, location="query")
    def tick_history(query: Query, product: str) -> Response:
        """Ticks of one product in a stretch of time, oldest first."""
        return _page(*reader.tick_history(product, query))

    return blueprint


def _shaped(chain: EnrichedChain, shape: str) -> Any:
    return in_rows(chain) if shape == ROWS else chain


def _page(head: dict[str, Any], page: Page[Any], shape: Callable[[Any], Any] = lambda item: item) -> Response:
    return json_response({**head, "items": [shape(item) for item in page.items], "next_cursor": page.next_cursor})
