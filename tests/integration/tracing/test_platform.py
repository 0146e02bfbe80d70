"""Real processes and a collector: a trace from api-gateway to the service behind, and one from consume to publish."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.adapters.ledger import Ledger
from aro.contracts.codec import encode_message
from aro.contracts.names import STREAM_CHAINS
from aro.testing import factories
from aro.testing.collector import Collector, SeenSpan
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = {"decode", "compute", "store", "publish"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Platform]:
    # Spans wait five seconds for company otherwise.
    environ = {"ARO_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    running = Platform(Path(tmp_path_factory.mktemp("tracing")), environ=environ)
    try:
        running.start(("auth", "api", "consume", "work"))
        yield running
    finally:
        running.stop()


def only(collector: Collector, service: str, name: str) -> SeenSpan:
    eventually(lambda: collector.spans(service, name), f"{name} of {service}", seconds=20)
    (seen,) = collector.spans(service, name)
    return seen


def test_a_request_is_one_trace_through_the_gateway_and_what_is_behind(
    platform: Platform, collector: Collector
) -> None:
    answer = requests.post(
        f"{platform.url('api')}/api/v1/auth/login",
        json={"email": "nobody@example.com", "password": "not the password of anybody"},
        headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        timeout=20,
    )
    assert answer.status_code == 401
    outer = only(collector, "api-gateway", "POST /api/v1/auth/login")
    call = only(collector, "api-gateway", "POST auth")
    inner = only(collector, "auth", "POST /api/v1/auth/login")
    assert {outer.trace, call.trace, inner.trace} == {TRACE}
    assert (outer.parent, call.parent, inner.parent) == (PARENT, outer.id, call.id)
    assert inner.attributes["aro.trace.id"] == answer.headers["X-Request-ID"]


def test_a_batch_is_one_trace_from_consume_to_publish(platform: Platform, collector: Collector) -> None:
    Ledger(platform.redis.client()).append([(STREAM_CHAINS, encode_message(factories.chain()))])
    sent = only(collector, "worker-enricher-consume", "send batch")
    batch = only(collector, "worker-enricher-work", "enrich batch")
    assert (batch.trace, batch.parent) == (sent.trace, sent.id)
    assert (sent.attributes, batch.attributes) == ({"entries": 1}, {"entries": 1})
    eventually(
        lambda: {seen.name for seen in collector.spans("worker-enricher-work")} >= STAGES, "all stages", seconds=20
    )
    stages = [seen for seen in collector.spans("worker-enricher-work") if seen.name in STAGES]
    assert {seen.trace for seen in stages} == {sent.trace}
    assert {seen.parent for seen in stages} == {batch.id}
