"""Pure: an enriched chain solved again from its own quotes.

What is published is rounded. Anything derived further, such as a profile of gamma, starts from what the quotes imply,
so that its sums are the published metrics to their last place.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from aro.contracts.analytics import DECIMALS, Column, EnrichedChain, EnrichedQuotes
from aro.quant.arrays import FloatArray
from aro.quant.batch import BatchResult, Chain, ChainBatch, Side, join, solve

_QUOTED: Final = ("bid", "ask", "open_interest", "volume", "ltp", "prev_close", "open_interest_change")


class Solved(NamedTuple):
    """Chains in one batch: chain i owns ``batch.offsets[i]:batch.offsets[i + 1]`` of what is per contract."""

    chains: Sequence[EnrichedChain]
    batch: ChainBatch
    result: BatchResult


def solved(chains: Sequence[EnrichedChain]) -> Solved:
    batch = join([_quant_chain(chain) for chain in chains])
    return Solved(chains, batch, solve(batch))


def array(column: Sequence[float | None]) -> FloatArray:
    return np.array(column, dtype=np.float64)


def number(value: Any, kind: str) -> float | None:
    """Rounded as published; None where it is not computable."""
    return None if not np.isfinite(value) else round(float(value), DECIMALS[kind])


def column(values: FloatArray, kind: str) -> Column:
    rounded = np.round(values, DECIMALS[kind])
    return [value if known else None for value, known in zip(rounded.tolist(), np.isfinite(rounded), strict=True)]


def _quant_chain(chain: EnrichedChain) -> Chain:
    return Chain(
        strikes=chain.strikes,
        calls=_side(chain.calls),
        puts=_side(chain.puts),
        spot=chain.spot,
        years=chain.dte_years,
        rate=chain.rate,
        dividend_yield=_dividend_yield(chain),
        future=chain.future,
        contract_size=chain.contract_size,
        tick_size=chain.tick_size,
    )


def _side(quotes: EnrichedQuotes) -> Side:
    return Side(**{name: array(getattr(quotes, name)) for name in _QUOTED})


def _dividend_yield(chain: EnrichedChain) -> float:
    """Chains do not carry it: it matters only where the forward came from it, F = S·e^{(r-q)T}, which tells it."""
    if chain.forward_source != "carry" or not chain.forward or chain.dte_years <= 0.0:
        return 0.0
    return float(chain.rate - np.log(chain.forward / chain.spot) / chain.dte_years)
