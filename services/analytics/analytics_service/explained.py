"""Pure: what stands behind an answer, for ``explain=1``."""

from collections.abc import Sequence
from typing import Any

from analytics_service.answers import ExplainedForward, Explanation
from aro.contracts.analytics import ChainMetrics, EnrichedChain


def explanation(
    formula: str,
    sources: Sequence[EnrichedChain | ChainMetrics],
    *,
    inputs: dict[str, Any] | None = None,
    filters: dict[str, Any] | None = None,
) -> Explanation:
    return Explanation(
        formula=formula,
        snapshots=[_forward(source) for source in sources],
        inputs=inputs or {},
        filters=filters or {},
    )


def _forward(source: EnrichedChain | ChainMetrics) -> ExplainedForward:
    chain = source if isinstance(source, EnrichedChain) else None
    return ExplainedForward(
        id=source.id,
        expiry=source.expiry,
        source_time=source.source_time,
        spot=source.spot,
        forward=source.forward,
        forward_source=source.forward_source,
        dte_years=source.dte_years,
        rate=chain.rate if chain else None,
        forward_low=chain.forward_low if chain else None,
        forward_high=chain.forward_high if chain else None,
        flags=source.flags,
    )
