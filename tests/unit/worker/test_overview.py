"""From what processes say of themselves to what the ``status`` channel says of the platform."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aro.contracts.vitals import GatewayVitals, PipelineVitals, ProcessVitals, Spread
from worker_enricher.overview import gateway_statuses, histogram, pipeline_status, process_statuses, quantile

BOUNDS = (10.0, 20.0, 40.0)


def spread(*counts: int, total_ms: float = 0.0, bounds: tuple[float, ...] = BOUNDS) -> Spread:
    return Spread(bounds_ms=bounds, counts=counts, total_ms=total_ms)


def process(service: str = "worker-enricher-work", *, span_ms: int = 60_000, **said: Any) -> ProcessVitals:
    head: dict[str, Any] = {"started_ts": 1_000, "cpu_seconds": 3.0, "memory_bytes": 1 << 20}
    return ProcessVitals(service=service, span_ms=span_ms, **(head | said))


def pipeline(chains: int, **stages: Spread) -> PipelineVitals:
    return PipelineVitals(chains=chains, ticks=2 * chains, stages=stages, published={"chain": spread(chains, 0, 0, 0)})


def gateway(**said: Any) -> GatewayVitals:
    numbers = dict.fromkeys(GatewayVitals.__struct_fields__[:-1], 0)
    return GatewayVitals(**(numbers | {"delivered": {}, "loop_lag_ms": 0.0} | said))


def test_a_quantile_is_linear_within_its_bucket() -> None:
    # 10 values: 4 up to 10, 4 up to 20, 2 above 40. The fifth is the first of four in (10, 20].
    counts = (4, 4, 0, 2)
    assert quantile(BOUNDS, counts, 0.5) == 12.5
    assert quantile(BOUNDS, counts, 0.4) == 10.0
    assert quantile(BOUNDS, counts, 0.99) == 40.0, "above the last bound nothing is known but that"
    assert quantile(BOUNDS, (0, 0, 0, 0), 0.5) is None
    assert quantile((), (), 0.5) is None


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4), st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_its_rank(counts: list[int], share: float) -> None:
    found = quantile(BOUNDS, counts, share)
    if not sum(counts):
        assert found is None
        return
    ranked = [bucket for bucket, count in enumerate(counts) for _ in range(count)]
    bucket = ranked[math.ceil(share * len(ranked) - 1e-9) - 1]
    lower, upper = ((0.0, *BOUNDS)[bucket], (*BOUNDS, BOUNDS[-1])[bucket])
    assert found is not None
    assert lower <= found <= upper


def test_spreads_of_several_processes_are_added() -> None:
    merged = histogram([spread(1, 0, 0, 0, total_ms=4), spread(0, 2, 0, 1, total_ms=96)])
    assert (merged.counts, merged.count, merged.mean_ms) == ([1, 2, 0, 1], 4, 25.0)
    assert merged.bounds_ms == list(BOUNDS)


def test_spreads_with_other_bounds_are_left_out() -> None:
    merged = histogram([spread(1, 0, 0, 0), spread(7, 7, bounds=(5.0,))])
    assert merged.counts == [1, 0, 0, 0]


def test_nothing_measured_is_null_and_not_0() -> None:
    nothing = histogram([])
    assert (nothing.count, nothing.mean_ms, nothing.p50_ms, nothing.p99_ms) == (0, None, None, None)


def test_the_pipeline_is_all_workers_together() -> None:
    store = spread(10, 10, 0, 0, total_ms=200)
    vitals = {
        "a": process(pipeline=pipeline(600, store=store)),
        "b": process(pipeline=pipeline(300, store=store), span_ms=30_000),
        "c": process("storage"),
    }
    status = pipeline_status(vitals)
    assert status is not None
    assert (status.workers, status.chains_per_second, status.ticks_per_second) == (2, 20.0, 40.0)
    assert [stage.stage for stage in status.stages] == ["wait", "decode", "compute", "store", "publish"]
    counts = {stage.stage: stage.latency.count for stage in status.stages}
    assert counts == {"wait": 0, "decode": 0, "compute": 0, "store": 40, "publish": 0}
    assert status.latency.count == 900
    assert pipeline_status({"c": process("storage")}) is None


def test_gateways_stand_apart_the_oldest_first() -> None:
    vitals = {
        "a": process("socket-gateway", started_ts=7, gateway=gateway(sockets=3, messages=120, slow_disconnects=1)),
        "b": process("socket-gateway", started_ts=5, span_ms=500, gateway=gateway(messages=50)),
    }
    young, old = gateway_statuses(vitals)
    assert (young.instance, young.messages_per_second) == ("b", 0.0), "half a second is no rate"
    assert (old.instance, old.sockets, old.messages_per_second, old.slow_disconnects) == ("a", 3, 2.0, 1)


def test_processes_are_listed_by_service_and_age() -> None:
    vitals = {"x": process("storage", started_ts=9_000, span_ms=0), "y": process("storage"), "z": process("auth")}
    found = process_statuses(vitals)
    assert [(item.service, item.instance, item.cpu) for item in found] == [
        ("auth", "z", 0.05),
        ("storage", "y", 0.05),
        ("storage", "x", None),
    ]
