"""Routes answered from chains and metrics."""

from typing import Final

import msgspec
from flask import Response

from analytics_service import exposures, interest, smiles, strategies
from analytics_service.answering import Query
from analytics_service.answers import (
    ExpectedMoveAnswer,
    GexAnswer,
    MaxPainAnswer,
    OiBuildupAnswer,
    OiChangeAnswer,
    PcrAnswer,
    StraddleAnswer,
    StrategyAnswer,
)
from analytics_service.asking import Asking, instant, wants_history
from analytics_service.examples import example
from analytics_service.legs import Leg, parse_legs
from analytics_service.market import channels_of
from analytics_service.schemas import (
    BuildupQuery,
    ChainHistoryQuery,
    ChainQuery,
    GexQuery,
    ScopeHistoryQuery,
    StrategyQuery,
    WindowQuery,
)
from analytics_service.series import columns
from analytics_service.stored_legs import StoredLegs
from analytics_service.surface_answers import SmileAnswer
from aro.contracts.analytics import EnrichedChain
from aro.contracts.problems import InvalidRequest, NotFound, UnknownExpiry, UnknownProduct
from aro.contracts.products import product as product_named
from aro.runtime.api import Blueprint

PROBLEMS: Final = (UnknownProduct, UnknownExpiry)
HEADERS: Final = ("ETag", "As-Of", "Cache-Control")


def add_metric_routes(blueprint: Blueprint, asking: Asking) -> None:
    """Put-call ratios, straddle, expected move: from what was published."""

    @blueprint.get("/<product>/pcr")
    @blueprint.arguments(ScopeHistoryQuery, location="query")
    @blueprint.answers(PcrAnswer, "Put-call ratios", problems=PROBLEMS, headers=HEADERS, example=example("pcr"))
    def pcr(query: Query, product: str) -> Response:
        """Put-call ratios now or at an instant, and their history.

        Of several expiries (`scope`) they are ratios of sums. With `from`, `to` or `interval` there is a `history`.
        """
        return asking.of_metrics("pcr", product, query, lambda metrics: asking.pcr(query, metrics))

    @blueprint.get("/<product>/straddle")
    @blueprint.arguments(ChainHistoryQuery, location="query")
    @blueprint.answers(
        StraddleAnswer, "The straddle at the money", problems=PROBLEMS, headers=HEADERS, example=example("straddle")
    )
    def straddle(query: Query, product: str) -> Response:
        """The at-the-money straddle now or at an instant, and its history."""
        return asking.of_metrics("straddle", product, query, lambda metrics: asking.straddle(query, metrics))

    @blueprint.get("/<product>/expected-move")
    @blueprint.arguments(ScopeHistoryQuery, location="query")
    @blueprint.answers(
        ExpectedMoveAnswer, "Expected moves", problems=PROBLEMS, headers=HEADERS, example=example("expected-move")
    )
    def expected_move(query: Query, product: str) -> Response:
        """How far the market expects the underlying to move until expiry; of several expiries a cone.

        A history is that of the nearest expiry.
        """
        return asking.of_metrics("expected-move", product, query, lambda items: asking.expected_move(query, items))


def add_chain_routes(blueprint: Blueprint, asking: Asking) -> None:
    """Max pain, gamma exposure, smile: from one chain per expiry."""

    @blueprint.get("/<product>/max-pain")
    @blueprint.arguments(ChainQuery, location="query")
    @blueprint.answers(
        MaxPainAnswer, "Max pain and its curve", problems=PROBLEMS, headers=HEADERS, example=example("max-pain")
    )
    def max_pain(query: Query, product: str) -> Response:
        """What option holders would receive at each settlement price, and where that is least."""
        return asking.of_chains(
            "max-pain", product, query, lambda chains: exposures.pain(chains[0], explain=query["explain"])
        )

    @blueprint.get("/<product>/gex")
    @blueprint.arguments(GexQuery, location="query")
    @blueprint.answers(
        GexAnswer, "Gamma exposure by strike and by spot", problems=PROBLEMS, headers=HEADERS, example=example("gex")
    )
    def gex(query: Query, product: str) -> Response:
        """Gamma exposure by strike, and of the whole book repriced at every spot within 8 %."""

        def compute(chains: list[EnrichedChain]) -> GexAnswer:
            return exposures.gex(chains, query["scope"], query["sign_model"], explain=query["explain"])

        return asking.of_chains("gex", product, query, compute)

    @blueprint.get("/<product>/smile")
    @blueprint.arguments(ChainQuery, location="query")
    @blueprint.answers(
        SmileAnswer, "Quotes and fitted curve", problems=PROBLEMS, headers=HEADERS, example=example("smile")
    )
    def smile(query: Query, product: str) -> Response:
        """Bid, mid and ask volatilities of one expiry, and the smile fitted to them."""
        return asking.of_chains(
            "smile", product, query, lambda chains: smiles.smile(chains[0], explain=query["explain"])
        )


def add_interest_routes(blueprint: Blueprint, asking: Asking) -> None:
    """Changes of open interest: since the previous close, or between two chains."""

    @blueprint.get("/<product>/oi-change")
    @blueprint.arguments(WindowQuery, location="query")
    @blueprint.answers(
        OiChangeAnswer, "Changes by strike", problems=PROBLEMS, headers=HEADERS, example=example("oi-change")
    )
    def oi_change(query: Query, product: str) -> Response:
        """Changes of open interest by strike, since the previous close or over a window."""

        def compute(chains: list[EnrichedChain]) -> OiChangeAnswer:
            return interest.oi_change(chains[0], _before(asking, chains[0], query), explain=query["explain"])

        return asking.of_chains("oi-change", product, query, compute)

    @blueprint.get("/<product>/oi-buildup")
    @blueprint.arguments(BuildupQuery, location="query")
    @blueprint.answers(
        OiBuildupAnswer, "Classes by strike, and their shares", problems=PROBLEMS, headers=HEADERS,
        example=example("oi-buildup"),
    )  # fmt: skip
    def oi_buildup(query: Query, product: str) -> Response:
        """Long and short build-up, covering and unwinding by strike, since the previous close or over a window."""
        if query["price_mode"] == "delta_adjusted" and query["window"] is None and query["from"] is None:
            reason = "delta_adjusted needs a window or from: the underlying's previous close is not in a chain."
            raise InvalidRequest("not valid: from", errors={"from": [reason]})

        def compute(chains: list[EnrichedChain]) -> OiBuildupAnswer:
            before = _before(asking, chains[0], query)
            return interest.oi_buildup(chains[0], before, query["price_mode"], explain=query["explain"])

        return asking.of_chains("oi-buildup", product, query, compute)


def add_strategy_route(blueprint: Blueprint, asking: Asking) -> None:
    stored = StoredLegs(asking.market)

    @blueprint.get("/<product>/strategy")
    @blueprint.arguments(StrategyQuery, location="query")
    @blueprint.answers(
        StrategyAnswer, "Price, volatility and Greeks together", problems=(*PROBLEMS, NotFound), headers=HEADERS,
        example=example("strategy"),
    )  # fmt: skip
    def strategy(query: Query, product: str) -> Response:
        """Several contracts together, now or at an instant, and their history.

        A history is read from whole chains, so it reaches as far back as these are kept, in at most 240 intervals.
        """
        legs, at = parse_legs(query["legs"]), instant(query)
        nearest = asking.market.choose(product, query["expiry"], "expiry", at)[0] if _needs_nearest(legs) else ""
        expiries = sorted({leg.expiry or nearest for leg in legs})

        def compute() -> StrategyAnswer:
            chains = {expiry: asking.market.chain(product, expiry, at) for expiry in expiries}
            answer = strategies.strategy(legs, chains, nearest, explain=query["explain"])
            if not wants_history(query):
                return answer
            span = asking.span(query, list(chains.values()))
            found = stored.history(product, legs, nearest, span)
            return msgspec.structs.replace(answer, history=columns(product_named(product), span, found))

        product_named(product)
        channels = channels_of("chain", product, expiries)
        return asking.desk.respond(
            "strategy", product, query, compute, at=at, channels=channels, heavy=wants_history(query)
        )


def _needs_nearest(legs: tuple[Leg, ...]) -> bool:
    return any(leg.expiry is None for leg in legs)


def _before(asking: Asking, chain: EnrichedChain, query: Query) -> EnrichedChain | None:
    """The chain at the start of the window; None if the question is about the previous close."""
    if query["from"] is None and query["window"] is None:
        return None
    start = query["from"] if query["from"] is not None else chain.source_ts - query["window"]
    if start > chain.source_ts:
        raise InvalidRequest("not valid: from", errors={"from": ["Must not be after the newest chain."]})
    return asking.market.chain(chain.product, chain.expiry, start)
