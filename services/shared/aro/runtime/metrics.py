"""The metrics registry: every metric of a process is declared through here, once, at import of its `metrics` module."""

import os
from collections.abc import Sequence
from importlib import metadata

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

DECLARED: dict[str, str] = {}
"""Metric name → what it counts. Tests compare it with what a live process serves."""


def counter(name: str, doc: str, labels: Sequence[str] = (), *, values: Sequence[str] = ()) -> Counter:
    """`values` are those of the only label that are known beforehand.

    They are served as 0 from the start: a series that appears with its first event shows no increase to Prometheus,
    so an alert on the first event of its kind would be silent.
    """
    DECLARED[name] = doc
    declared = Counter(name, doc, labels)
    for value in values:
        declared.labels(value)
    return declared


def gauge(name: str, doc: str, labels: Sequence[str] = ()) -> Gauge:
    DECLARED[name] = doc
    # "mostrecent" is the reading that is true when several processes of one service report it.
    return Gauge(name, doc, labels, multiprocess_mode="mostrecent")


def histogram(name: str, doc: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS) -> Histogram:
    DECLARED[name] = doc
    return Histogram(name, doc, labels, buckets=buckets)


build_info = gauge("app_build_info", "1; which version of which service this process runs", ["service", "version"])


def describe_build(service: str) -> None:
    """Serve ``app_build_info`` for `service`."""
    build_info.labels(service, metadata.version("aro")).set(1)


def exposition() -> bytes:
    """The text that ``/metrics`` answers, over all processes of the service when it forks."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        # Of the parent only, whose children come and go.
        ProcessCollector(registry=registry)
        return generate_latest(registry)
    return generate_latest()
