"""The routes of the storage service. Every one needs an access token."""

from typing import Any, Final

import msgspec
from flask import Response

from aro.adapters.chain_store import Head, StoredChain, head_of
from aro.contracts.analytics import ChainMetrics, EnrichedTick
from aro.contracts.codec import encode_json
from aro.contracts.problems import NotFound, UnknownExpiry, UnknownProduct
from aro.contracts.shaped import ShapedChain, ShapedMetrics
from aro.contracts.shapes import (
    ChainShape,
    Fields,
    chain_csv_columns,
    chain_csv_rows,
    metrics_csv_columns,
    render_chain,
    render_metrics,
)
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.queries import AsOfQuery, NoQuery
from aro.runtime.web import json_response
from storage_service import answers
from storage_service.reader import Query, Reader
from storage_service.representation import LINES_TYPE, Form, page_response, state_response
from storage_service.schemas import (
    ChainHistoryQuery,
    ChainQuery,
    MetricsHistoryQuery,
    MetricsQuery,
    TickHistoryQuery,
    shape_of,
)

_STATE_HEADERS: Final = ("ETag", "As-Of", "Cache-Control")
_PAGE_HEADERS: Final = ("Link",)
_OF_EXPIRY: Final = (UnknownProduct, UnknownExpiry)


def product_routes(reader: Reader, health: Health) -> Blueprint:
    blueprint = Blueprint("products", __name__, url_prefix="/api/v1/products", description="What is traded")
    blueprint.before_request(health.require_ready)

    @blueprint.get("")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(answers.ProductList, "All products", example=answers.PRODUCTS_EXAMPLE)
    def products(_: Query) -> Response:
        """All products, with their terms of today and whether they have data."""
        return json_response(reader.products())

    @blueprint.get("/<product>/expiries")
    @blueprint.arguments(AsOfQuery, location="query")
    @blueprint.answers(
        answers.ExpiryList, "Expiries, nearest first", problems=(UnknownProduct,), example=answers.EXPIRIES_EXAMPLE
    )
    def expiries(query: Query, product: str) -> Response:
        """Expiries with data, nearest first.

        Those that are over are flagged. With `as_of`: those that had data by then.
        """
        return json_response(reader.expiries(product, query["as_of"]))

    return blueprint


def chain_routes(reader: Reader, health: Health) -> Blueprint:
    blueprint = Blueprint("chains", __name__, url_prefix="/api/v1/chains", description="Enriched chains and metrics")
    blueprint.before_request(health.require_ready)

    @blueprint.get("/<product>")
    @blueprint.arguments(ChainQuery, location="query")
    @blueprint.answers(
        ShapedChain,
        "The chain",
        problems=(*_OF_EXPIRY, NotFound),
        csv=True,
        example=answers.CHAIN_EXAMPLE,
        headers=_STATE_HEADERS,
    )
    def chain(query: Query, product: str) -> Response:
        """The chain of one expiry: the latest, or that of an instant.

        Byte for byte what clients were sent, unless a shape, strikes or fields are asked for.
        """
        data = reader.chain(product, query["expiry"], query["as_of"])
        return state_response(data, head_of(data), _chain_form(shape_of(query)), as_of=query["as_of"])

    @blueprint.get("/<product>/history")
    @blueprint.arguments(ChainHistoryQuery, location="query")
    @blueprint.answers(
        answers.ChainHistory,
        "A page of chains",
        problems=_OF_EXPIRY,
        csv=True,
        example=answers.CHAIN_HISTORY_EXAMPLE,
        headers=_PAGE_HEADERS,
    )
    @blueprint.answers({"type": "string"}, "A page of chains", media_type=LINES_TYPE)
    def chain_history(query: Query, product: str) -> Response:
        """Chains of one expiry in a stretch of time, oldest first.

        Usually the last 5 minutes, at most 24 hours. Whole chains are kept for hours, metrics for days.
        """
        form = _chain_form(shape_of(query))
        packed: Form[StoredChain] = Form(
            json=lambda item: form.json(item.data), columns=form.columns, rows=lambda item: form.rows(item.data)
        )
        return page_response(*reader.chain_history(product, query), packed)

    @blueprint.get("/<product>/metrics")
    @blueprint.arguments(MetricsQuery, location="query")
    @blueprint.answers(
        ShapedMetrics,
        "The metrics",
        problems=(*_OF_EXPIRY, NotFound),
        csv=True,
        example=answers.METRICS_EXAMPLE,
        headers=_STATE_HEADERS,
    )
    def metrics(query: Query, product: str) -> Response:
        """The metrics of one expiry: the latest, or those of an instant."""
        found = reader.metrics(product, query["expiry"], query["as_of"])
        return state_response(found, _head(found), _metrics_form(query["fields"]), as_of=query["as_of"])

    @blueprint.get("/<product>/metrics/history")
    @blueprint.arguments(MetricsHistoryQuery, location="query")
    @blueprint.answers(
        answers.MetricsHistory,
        "A page of metrics",
        problems=_OF_EXPIRY,
        csv=True,
        example=answers.METRICS_HISTORY_EXAMPLE,
        headers=_PAGE_HEADERS,
    )
    @blueprint.answers({"type": "string"}, "A page of metrics", media_type=LINES_TYPE)
    def metrics_history(query: Query, product: str) -> Response:
        """Metrics of one expiry in a stretch of time, oldest first. Usually the last hour, at most 31 days."""
        return page_response(*reader.metrics_history(product, query), _metrics_form(query["fields"]))

    return blueprint


def tick_routes(reader: Reader, health: Health) -> Blueprint:
    blueprint = Blueprint("ticks", __name__, url_prefix="/api/v1/ticks", description="Prices of the underlying")
    blueprint.before_request(health.require_ready)

    @blueprint.get("/<product>")
    @blueprint.arguments(AsOfQuery, location="query")
    @blueprint.answers(
        EnrichedTick,
        "The tick",
        problems=(UnknownProduct, NotFound),
        csv=True,
        example=answers.TICK_EXAMPLE,
        headers=_STATE_HEADERS,
    )
    def tick(query: Query, product: str) -> Response:
        """The price of the underlying: the latest, or that of an instant."""
        found = reader.tick(product, query["as_of"])
        return state_response(found, _head(found), _TICK_FORM, as_of=query["as_of"])

    @blueprint.get("/<product>/history")
    @blueprint.arguments(TickHistoryQuery, location="query")
    @blueprint.answers(
        answers.TickHistory,
        "A page of ticks",
        problems=(UnknownProduct,),
        csv=True,
        example=answers.TICK_HISTORY_EXAMPLE,
        headers=_PAGE_HEADERS,
    )
    @blueprint.answers({"type": "string"}, "A page of ticks", media_type=LINES_TYPE)
    def tick_history(query: Query, product: str) -> Response:
        """Ticks of one product in a stretch of time, oldest first. Usually the last hour, at most 7 days."""
        return page_response(*reader.tick_history(product, query), _TICK_FORM)

    return blueprint


# --- forms ---------------------------------------------------------------------------------


def _chain_form(shape: ChainShape) -> Form[bytes]:
    return Form(
        json=lambda data: render_chain(data, shape),
        columns=chain_csv_columns(shape),
        rows=lambda data: chain_csv_rows(msgspec.json.decode(data), shape),
    )


def _metrics_form(fields: Fields | None) -> Form[ChainMetrics]:
    return Form(
        json=lambda metrics: render_metrics(encode_json(metrics), fields),
        columns=metrics_csv_columns(fields),
        rows=lambda metrics: [msgspec.to_builtins(metrics)],
    )


_TICK_FORM: Final[Form[EnrichedTick]] = Form(
    json=encode_json, columns=[*EnrichedTick.__struct_fields__], rows=lambda tick: [msgspec.structs.asdict(tick)]
)


def _head(state: ChainMetrics | EnrichedTick) -> Head:
    expiry: Any = getattr(state, "expiry", "")
    return Head(
        id=state.id,
        product=state.product,
        expiry=expiry,
        source_seq=state.source_seq,
        source_ts=state.source_ts,
        source_time=state.source_time,
    )
