"""From what single processes say of themselves to what ``status`` says of the platform. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, get_args, get_type_hints

from aro.contracts.status import (
    GatewayStatus,
    LatencyHistogram,
    PipelineStatus,
    ProcessStatus,
    StageStatus,
)
from aro.contracts.vitals import PipelineVitals, ProcessVitals, Spread

STAGES: Final = get_args(get_type_hints(StageStatus)["stage"])
CHAIN: Final = "chain"
JUST_STARTED_MS: Final = 1_000
"""Rates of a shorter time would mean nothing."""

Vitals = Mapping[str, ProcessVitals]
"""Instance → what it said."""


def pipeline_status(vitals: Vitals) -> PipelineStatus | None:
    """All that enrich, together; None if nobody does."""
    said = [(item, item.pipeline) for item in vitals.values() if item.pipeline is not None]
    if not said:
        return None
    pipelines = [pipeline for _, pipeline in said]
    return PipelineStatus(
        workers=len(said),
        chains_per_second=round(sum(_rate(one.chains, item.span_ms) for item, one in said), 2),
        ticks_per_second=round(sum(_rate(one.ticks, item.span_ms) for item, one in said), 2),
        stages=[StageStatus(stage=stage, latency=histogram(_of_stage(pipelines, stage))) for stage in STAGES],
        latency=histogram(spread for one in pipelines if (spread := one.published.get(CHAIN))),
    )


def gateway_statuses(vitals: Vitals) -> list[GatewayStatus]:
    """Replicas of the socket-gateway, the oldest first."""
    return [
        GatewayStatus(
            instance=instance,
            sockets=one.sockets,
            subscriptions=one.subscriptions,
            messages_per_second=round(_rate(one.messages, item.span_ms), 1),
            bytes_per_second=round(_rate(one.bytes, item.span_ms)),
            conflated=one.conflated,
            slow_disconnects=one.slow_disconnects,
            waiting_bytes=one.waiting_bytes,
            loop_lag_ms=one.loop_lag_ms,
            latency=histogram([one.delivered[CHAIN]] if CHAIN in one.delivered else []),
        )
        for instance, item in _by_age(vitals)
        if (one := item.gateway) is not None
    ]


def process_statuses(vitals: Vitals) -> list[ProcessStatus]:
    """By service, the oldest of each first."""
    found = [
        ProcessStatus(
            service=item.service,
            instance=instance,
            started_ts=item.started_ts,
            cpu=None if item.span_ms < JUST_STARTED_MS else round(item.cpu_seconds * 1000 / item.span_ms, 4),
            memory_bytes=item.memory_bytes,
        )
        for instance, item in _by_age(vitals)
    ]
    return sorted(found, key=lambda process: process.service)


def histogram(spreads: Iterable[Spread]) -> LatencyHistogram:
    """Those of one form, added up; the form is the first one's, so two releases side by side do not mix."""
    found = list(spreads)
    bounds = found[0].bounds_ms if found else ()
    alike = [spread for spread in found if spread.bounds_ms == bounds]
    counts = [sum(column) for column in zip(*(spread.counts for spread in alike), strict=True)]
    count = sum(counts)
    mean = sum(spread.total_ms for spread in alike) / count if count else None
    return LatencyHistogram(
        bounds_ms=list(bounds),
        counts=counts,
        count=count,
        mean_ms=None if mean is None else round(mean, 2),
        p50_ms=quantile(bounds, counts, 0.5),
        p99_ms=quantile(bounds, counts, 0.99),
    )


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Linear within its bucket, whose lowest begins at 0; at most the last bound. None of nothing.

    The rule of Prometheus' ``histogram_quantile``.
    """
    rank = share * sum(counts)
    if not rank:
        return None
    below, lower = 0, 0.0
    for bound, inside in zip(bounds, counts, strict=False):
        if below + inside >= rank:
            return round(lower + (bound - lower) * (rank - below) / inside, 2)
        below, lower = below + inside, bound
    return lower


def _of_stage(pipelines: Iterable[PipelineVitals], stage: str) -> list[Spread]:
    return [one.stages[stage] for one in pipelines if stage in one.stages]


def _by_age(vitals: Vitals) -> list[tuple[str, ProcessVitals]]:
    return sorted(vitals.items(), key=lambda pair: (pair[1].started_ts, pair[0]))


def _rate(count: float, span_ms: int) -> float:
    return count * 1000 / span_ms if span_ms >= JUST_STARTED_MS else 0.0
