"""What a process says of itself every few seconds, in Redis: read by whoever makes the ``status`` channel."""

from typing import Final

import msgspec

VITALS_VERSION: Final = 1
WINDOW_SECONDS: Final = 60
"""What is counted is counted over so much of the past, or over the life of a younger process."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the window's values lay at or below each bound and above the one before; the last, above all."""

    bounds_ms: tuple[float, ...]
    counts: tuple[int, ...]
    total_ms: float


class PipelineVitals(msgspec.Struct, frozen=True, kw_only=True):
    """Of a process that enriches. `stages` and `published` are spreads by stage and by kind of message."""

    chains: int
    ticks: int
    stages: dict[str, Spread]
    published: dict[str, Spread]


class GatewayVitals(msgspec.Struct, frozen=True, kw_only=True):
    """Of a socket-gateway. The first four are of now, the others are counted."""

    sockets: int
    subscriptions: int
    waiting_bytes: int
    loop_lag_ms: float
    messages: int
    bytes: int
    conflated: int
    slow_disconnects: int
    delivered: dict[str, Spread]


class ProcessVitals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`span_ms` is how long the window was; `cpu_seconds` was spent in it. `memory_bytes` is None where the system
    does not say."""

    v: int = VITALS_VERSION
    service: str
    started_ts: int
    span_ms: int
    cpu_seconds: float
    memory_bytes: int | None
    pipeline: PipelineVitals | None = None
    gateway: GatewayVitals | None = None
