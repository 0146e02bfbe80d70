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
from prometheus_client.samples import Sample

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


def value(metric: Counter | Gauge) -> float:
    """What this process has counted or set, summed over labels."""
    return sum(sample.value for sample in _samples(metric, "_total", ""))


def values(metric: Counter, label: str) -> dict[str, float]:
    """Value of `label` → what this process has counted."""
    return {sample.labels[label]: sample.value for sample in _samples(metric, "_total")}


def readings(metric: Histogram, label: str) -> dict[str, tuple[float, ...]]:
    """Value of `label` → how many observations fell into each bucket, the one above all bounds last, and their sum.

    Of this process only, also where it is one of several children.
    """
    found: dict[str, list[float]] = {}
    for sample in _samples(metric, "_bucket", "_sum"):
        found.setdefault(sample.labels[label], []).append(sample.value)
    return {name: (*_differences(values[:-1]), values[-1]) for name, values in found.items()}


def _samples(metric: Counter | Gauge | Histogram, *suffixes: str) -> list[Sample]:
    [family] = metric.collect()
    return [sample for sample in family.samples if sample.name.removeprefix(family.name) in suffixes]


def _differences(rising: Sequence[float]) -> list[float]:
    return [above - below for above, below in zip(rising, (0.0, *rising), strict=False)]
