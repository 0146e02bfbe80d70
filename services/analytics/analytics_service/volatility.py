"""Pure: variance index, rank and realised volatility."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from msgspec import UNSET

from analytics_service.answers import Explanation
from analytics_service.candles import Candles
from analytics_service.explained import explanation
from analytics_service.solved import array, number
from analytics_service.surface_answers import (
    IvDay,
    IvRankAnswer,
    RealisedAnswer,
    VarianceDay,
    VarianceIndexAnswer,
)
from analytics_service.surfaces import surface_explanation
from aro.contracts.analytics import EnrichedChain, IvHistoryPoint, SurfaceState
from aro.contracts.calendars import monthly_expiry
from aro.contracts.products import product
from aro.quant.iv_rank import DAYS, LEAST_OBSERVATIONS
from aro.quant.realised import close_to_close, garman_klass, parkinson, yang_zhang
from aro.quant.variance_index import CBOE_DAYS, INDIA_LEAST_DAYS, INDIA_WIDEST, Method, choose_terms, strip

METHODS: Final[tuple[Method, ...]] = ("cboe", "india")
INDEX_FORMULA: Final = "σ² = (2/T)·Σ ΔK/K²·e^{rT}·Q(K) - (1/T)·(F/K0 - 1)², two terms brought to 30 days"


def variance_index(
    state: SurfaceState, past: Sequence[IvHistoryPoint], chains: Sequence[EnrichedChain] | None
) -> VarianceIndexAnswer:
    """As published with `state`; with `chains`, those it was made of, also how."""
    return VarianceIndexAnswer(
        product=state.product,
        source_ts=state.source_ts,
        source_time=state.source_time,
        variance_index=state.variance_index,
        days=[VarianceDay(day=point.day, variance_index=point.variance_index) for point in past],
        explain=UNSET if chains is None else _strips(chains),
    )


def rank(state: SurfaceState, past: Sequence[IvHistoryPoint], *, explain: bool) -> IvRankAnswer:
    """As published with `state`; `past` are the days before that of `state`, oldest first."""
    days = [IvDay(day=point.day, iv_30d=point.iv_30d) for point in past]
    return IvRankAnswer(
        product=state.product,
        source_ts=state.source_ts,
        source_time=state.source_time,
        iv_30d=state.iv_30d,
        iv_rank=state.iv_rank,
        iv_percentile=state.iv_percentile,
        n_obs=state.iv_n_obs,
        lowest=min(days, key=lambda day: day.iv_30d, default=None),
        highest=max(days, key=lambda day: day.iv_30d, default=None),
        days=days,
        explain=_ranked(state) if explain else UNSET,
    )


def _ranked(state: SurfaceState) -> Explanation:
    behind = surface_explanation(state)
    return Explanation(
        formula="rank = 100·(IV - min)/(max - min), percentile = 100·#{IV_i < IV}/N over daily closes of iv_30d",
        snapshots=[],
        inputs=behind.inputs,
        filters={**behind.filters, "days": DAYS, "least_days": LEAST_OBSERVATIONS},
    )


def realised(
    head: dict[str, Any], candles: Candles, *, wanted: int, per_year: float, implied: float | None
) -> RealisedAnswer:
    """Over the last `wanted` `candles`; `head` says whose."""
    last = candles.picked(slice(-wanted, None))
    prices = last.open, last.high, last.low, last.close
    close = close_to_close(last.close, periods_per_year=per_year)
    return RealisedAnswer(
        **head,
        bars=len(last.start),
        bars_wanted=wanted,
        bars_per_year=per_year,
        close_to_close=number(close, "iv"),
        parkinson=number(parkinson(last.high, last.low, periods_per_year=per_year), "iv"),
        garman_klass=number(garman_klass(*prices, periods_per_year=per_year), "iv"),
        yang_zhang=number(yang_zhang(*prices, periods_per_year=per_year), "iv"),
        implied=implied,
        premium=None if implied is None else number(implied - close, "iv"),
    )


def realised_explanation(interval: str, per_year: float) -> Explanation:
    return Explanation(
        formula="close_to_close: deviation of log returns; parkinson, garman_klass: ranges; yang_zhang: with overnight",
        snapshots=[],
        inputs={"interval": interval, "bars_per_year": per_year},
        filters={"bars": "with data only; forming bars left out", "year": "252 sessions"},
    )


# --- how an index was made -----------------------------------------------------------------


def _strips(chains: Sequence[EnrichedChain]) -> Explanation:
    return explanation(
        INDEX_FORMULA,
        chains,
        inputs={method: _terms(chains, method) for method in METHODS},
        filters={
            "cboe": {"days": list(CBOE_DAYS), "a strip ends after": "two strikes without a bid"},
            "india": {"monthly expiries": True, "least_days": INDIA_LEAST_DAYS, "widest_spread_of_mid": INDIA_WIDEST},
        },
    )


def _terms(chains: Sequence[EnrichedChain], method: Method) -> list[dict[str, Any]]:
    usable = [chain for chain in chains if method == "cboe" or _is_monthly(chain)]
    terms = choose_terms([chain.dte_years for chain in usable], method)
    return [] if terms is None else [_term(usable[i], method) for i in terms]


def _is_monthly(chain: EnrichedChain) -> bool:
    day = date.fromisoformat(chain.expiry)
    return monthly_expiry(product(chain.product), day.year, day.month) == day


def _term(chain: EnrichedChain, method: Method) -> dict[str, Any]:
    built = strip(
        array(chain.strikes),
        array(chain.calls.bid),
        array(chain.calls.ask),
        array(chain.puts.bid),
        array(chain.puts.ask),
        chain.dte_years,
        chain.rate,
        method=method,
        future=chain.future,
    )
    return {
        "expiry": chain.expiry,
        "dte_years": chain.dte_years,
        "variance": number(built.variance, "variance"),
        "forward": number(built.forward, "price"),
        "at_strike": number(built.at_strike, "price"),
        "strikes": built.strikes.tolist(),
        "contributions": built.contributions.tolist(),
    }
