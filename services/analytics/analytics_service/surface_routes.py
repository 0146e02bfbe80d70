"""Routes answered from surfaces and daily history, and realised volatility."""

from typing import Any, Final

import msgspec
from flask import Response

from analytics_service import surfaces, volatility
from analytics_service.answering import Query
from analytics_service.asking import Asking, instant, is_long, wants_history
from analytics_service.candles import DAY_MS, WIDTH_MS, Interval, session_minutes
from analytics_service.examples import example
from analytics_service.schemas import (
    DaysQuery,
    RealisedQuery,
    SurfaceQuery,
    TermStructureQuery,
    VarianceIndexQuery,
)
from analytics_service.series import RULES, spelled
from analytics_service.stored_surfaces import StoredSurfaces
from analytics_service.surface_answers import (
    IvRankAnswer,
    RealisedAnswer,
    SurfaceAnswer,
    TermStructureAnswer,
    VarianceIndexAnswer,
)
from aro.adapters.clock import iso, utc
from aro.contracts.analytics import SurfaceState
from aro.contracts.calendars import local_day
from aro.contracts.names import metrics_channel, surface_channel, ticks_channel
from aro.contracts.problems import NotFound, UnknownExpiry, UnknownProduct
from aro.contracts.products import product as product_named
from aro.quant.iv_rank import DAYS
from aro.quant.realised import PERIODS_PER_YEAR
from aro.runtime.api import Blueprint

PROBLEMS: Final = (UnknownProduct, NotFound)
HEADERS: Final = ("ETag", "As-Of", "Cache-Control")
SLACK: Final = 2.5
"""Calendar time looked back over for each bar that is wanted, in widths of it, and a week more: nights, weekends and
holidays bring none."""


def add_surface_routes(blueprint: Blueprint, asking: Asking) -> None:
    stored = StoredSurfaces(asking.market)

    @blueprint.get("/<product>/surface")
    @blueprint.arguments(SurfaceQuery, location="query")
    @blueprint.answers(
        SurfaceAnswer, "The surface, its parameters and its arbitrage report",
        problems=PROBLEMS, headers=HEADERS, example=example("surface"),
    )  # fmt: skip
    def surface(query: Query, product: str) -> Response:
        """The volatility surface with its fitted parameters and its arbitrage report.

        It is what was published; with `axis` there is also a grid by strike, moneyness or delta.
        """

        def compute(state: SurfaceState) -> SurfaceAnswer:
            listed = product_named(product)
            step = listed.terms(local_day(listed, utc(state.source_ts))).strike_step
            return surfaces.answer(state, query["axis"], query["points"], step, explain=query["explain"])

        return asking.of_surface("surface", product, query, compute)

    @blueprint.get("/<product>/term-structure")
    @blueprint.arguments(TermStructureQuery, location="query")
    @blueprint.answers(
        TermStructureAnswer, "Volatilities by time", problems=PROBLEMS, headers=HEADERS,
        example=example("term-structure"),
    )  # fmt: skip
    def term_structure(query: Query, product: str) -> Response:
        """At-the-money volatility by expiry, and of constant maturities; with a history, those that are published."""

        def compute(state: SurfaceState) -> TermStructureAnswer:
            answer = surfaces.term_structure(state, query["days"], explain=query["explain"])
            if not wants_history(query):
                return answer
            return msgspec.structs.replace(answer, history=stored.maturities(product, asking.span(query, [state])))

        return asking.of_surface("term-structure", product, query, compute, heavy=wants_history(query))


def add_history_routes(blueprint: Blueprint, asking: Asking) -> None:
    """What stands beside its own past: variance index and rank."""
    stored = StoredSurfaces(asking.market)

    @blueprint.get("/<product>/variance-index")
    @blueprint.arguments(VarianceIndexQuery, location="query")
    @blueprint.answers(
        VarianceIndexAnswer, "The index by method", problems=PROBLEMS, headers=HEADERS,
        example=example("variance-index"),
    )  # fmt: skip
    def variance_index(query: Query, product: str) -> Response:
        """The model-free 30-day index, its daily values and, if asked, its history within days.

        `explain` gives the strips it was made of.
        """

        def compute(state: SurfaceState) -> VarianceIndexAnswer:
            past = asking.market.days(product, state.source_ts, query["days"])
            chains = asking.market.surface_chains(state) if query["explain"] else None
            answer = volatility.variance_index(state, past, chains)
            if not wants_history(query):
                return answer
            return msgspec.structs.replace(answer, history=stored.indices(product, asking.span(query, [state])))

        return asking.of_surface("variance-index", product, query, compute, heavy=wants_history(query))

    @blueprint.get("/<product>/iv-rank")
    @blueprint.arguments(DaysQuery, location="query")
    @blueprint.answers(
        IvRankAnswer, "Rank, percentile, and the days behind them", problems=PROBLEMS, headers=HEADERS,
        example=example("iv-rank"),
    )  # fmt: skip
    def iv_rank(query: Query, product: str) -> Response:
        """Where the 30-day volatility stands among those of the last 252 days; `days` of them are listed."""

        def compute(state: SurfaceState) -> IvRankAnswer:
            past = asking.market.days(product, state.source_ts, max(DAYS, query["days"]))
            answer = volatility.rank(state, past, explain=query["explain"])
            return msgspec.structs.replace(answer, days=answer.days[-query["days"] :])

        return asking.of_surface("iv-rank", product, query, compute)


def add_realised_route(blueprint: Blueprint, asking: Asking) -> None:
    @blueprint.get("/<product>/realised")
    @blueprint.arguments(RealisedQuery, location="query")
    @blueprint.answers(
        RealisedAnswer, "Realised beside implied volatility", problems=(*PROBLEMS, UnknownExpiry), headers=HEADERS,
        example=example("realised"),
    )  # fmt: skip
    def realised(query: Query, product: str) -> Response:
        """Realised volatility by four estimators over `window` bars, beside the 30-day implied or that of `expiry`.

        Bars that are still forming are left out. A year is 252 sessions of this exchange.
        """
        product_named(product)
        at = instant(query)
        implied_channel = metrics_channel(product, query["expiry"]) if query["expiry"] else surface_channel(product)
        return asking.desk.respond(
            "realised",
            product,
            query,
            lambda: _realised(asking, product, query),
            at=at,
            channels=[ticks_channel(product), implied_channel],
            heavy=is_long({**query, "from": None}, asking.market.clock.now_ms()),
        )


def _realised(asking: Asking, name: str, query: Query) -> RealisedAnswer:
    listed, interval, at = product_named(name), query["interval"], instant(query)
    source_ts = asking.market.tick(name).source_ts if at is None else at
    start = source_ts - _look_back(interval, query["window"])
    span = spelled(listed, interval, max(0, start), source_ts)
    candles = asking.series.candles(name, None, "spot", span)
    ends = span.grid[1:][span.grid[:-1].searchsorted(candles.start)]
    whole = candles.picked(ends <= source_ts + 1)
    per_year = _per_year(interval, session_minutes(listed, source_ts))
    implied = _implied(asking, name, query)
    head: dict[str, Any] = {
        "product": name,
        "expiry": query["expiry"],
        "source_ts": source_ts,
        "source_time": iso(source_ts),
        "interval": interval,
        "from_ts": span.start_ms,
        "to_ts": source_ts,
    }
    answer = volatility.realised(head, whole, wanted=query["window"], per_year=per_year, implied=implied)
    if not query["explain"]:
        return answer
    return msgspec.structs.replace(answer, explain=volatility.realised_explanation(interval, per_year))


def _implied(asking: Asking, name: str, query: Query) -> float | None:
    if query["expiry"]:
        return asking.market.metrics(name, query["expiry"], instant(query)).iv_atm
    return asking.market.surface(name, instant(query)).iv_30d


def _look_back(interval: Interval, bars: int) -> int:
    """At most what one question may span at this interval."""
    wanted = round(SLACK * bars * WIDTH_MS[interval]) + 7 * DAY_MS
    return min(wanted, RULES[interval].longest_ms)


def _per_year(interval: Interval, minutes: float) -> float:
    if interval == "1d":
        return PERIODS_PER_YEAR
    return PERIODS_PER_YEAR * minutes * 60_000 / WIDTH_MS[interval]
