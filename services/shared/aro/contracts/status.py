"""The ``status`` channel: how the platform is, in words and numbers that any client may see.

What came after its first form is optional, so that what was recorded before can still be read. Nobody who may read this
channel learns the name of a machine from it.
"""

from typing import Literal

import msgspec


class ProductStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is ``live`` while the newest data is younger than the limit, else ``stale``."""

    product: str
    state: Literal["live", "stale"]
    age_ms: int
    expiries: list[str]


class LatencyHistogram(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds over the window. `counts` has one entry more than `bounds_ms`: what was above the last bound.

    Quantiles are interpolated within their bucket as Prometheus does; null where there was nothing to measure.
    """

    bounds_ms: list[float]
    counts: list[int]
    count: int
    mean_ms: float | None
    p50_ms: float | None
    p99_ms: float | None


class StageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``wait`` is from a chain's own time to a worker, one value a chain; the others have one value a batch."""

    stage: Literal["wait", "decode", "compute", "store", "publish"]
    latency: LatencyHistogram


class PipelineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All workers together. `latency` is from a chain's own time to its publication."""

    workers: int
    chains_per_second: float
    ticks_per_second: float
    stages: list[StageStatus]
    latency: LatencyHistogram


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of the socket-gateway. `conflated` and `slow_disconnects` count over the window; `loop_lag_ms` is
    the worst of the last 15 seconds; `latency` is from a chain's own time to the sockets."""

    instance: str
    sockets: int
    subscriptions: int
    messages_per_second: float
    bytes_per_second: float
    conflated: int
    slow_disconnects: int
    waiting_bytes: int
    loop_lag_ms: float
    latency: LatencyHistogram


class ProcessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A process that said how it is within the last seconds. `instance` is drawn at its start and names no machine.

    `cpu` is in cores, over the window; null for a process that has only just started.
    """

    service: str
    instance: str
    started_ts: int
    cpu: float | None
    memory_bytes: int | None


class PlatformStatus(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``status``.

    `stream_lag` counts entries that no worker was given, `stream_pending` those given out and owed, of which the
    oldest came `oldest_pending_ms` ago (null: none is owed). `passed_over` counts snapshots that a newer one overtook
    while workers were overloaded: they are stored as they came, and history has them once they are enriched.
    `pipeline` is null while no worker says anything.
    """

    server_ts: int
    products: list[ProductStatus]
    stream_lag: dict[str, int]
    dead_letters: int
    stream_pending: dict[str, int] = {}
    oldest_pending_ms: dict[str, int | None] = {}
    passed_over: int = 0
    window_ms: int = 0
    """The span of what is counted; 0 in messages that count nothing."""
    pipeline: PipelineStatus | None = None
    gateways: list[GatewayStatus] = []
    processes: list[ProcessStatus] = []
