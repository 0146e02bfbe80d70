"""Tracing: nothing of it when off, and W3C context and a span per request when on."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aro.runtime import tracing
from aro.runtime.health import Health
from aro.runtime.settings import SettingsError, load
from aro.runtime.web import create_app, public
from aro.testing.collector import Collector, SeenSpan

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
OFF = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

# As in the images. redis imports it where it is there.
sys.meta_path.insert(0, Absent())
import api_gateway.app, auth_service.app, storage_service.app, analytics_service.app, logging_service.app
import worker_enricher.role_consume, worker_enricher.role_work
from aro.runtime import tracing
from aro.runtime.health import Health
from aro.runtime.web import create_app

tracing.start("service", None)
app = create_app("service", health=Health(ready={}), verifier=None, otlp_endpoint=None)
assert app.test_client().get("/nothing").status_code == 404
headers = {"X-Request-ID": "abc"}
assert tracing.carried(headers) is headers
assert tracing.span("one") is tracing.span("other", entries=3)
with tracing.span("one") as opened:
    assert opened is None
tracing.stop()
assert not app.teardown_request_funcs
assert "aro.runtime.spans" not in sys.modules
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running
        tracing.stop()


def by_name(collector: Collector) -> dict[str, SeenSpan]:
    tracing.stop()
    return {seen.name: seen for seen in collector.spans()}


def test_off_it_is_not_there_and_every_span_is_the_same_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_no_image_carries_it() -> None:
    locks = sorted((Path(__file__).parents[3] / "services").glob("*/requirements.txt"))
    assert len(locks) > 8
    assert [path for path in locks if "opentelemetry" in path.read_text(encoding="utf-8")] == []


@dataclass(frozen=True, kw_only=True)
class Settings:
    otlp_endpoint: str | None = tracing.endpoint_setting("ARO_OTLP_ENDPOINT")


def test_it_is_off_until_an_endpoint_is_named() -> None:
    assert load(Settings, {}) == load(Settings, {"ARO_OTLP_ENDPOINT": ""}) == Settings(otlp_endpoint=None)
    url = "http://127.0.0.1:4318"
    assert load(Settings, {"ARO_OTLP_ENDPOINT": url}) == Settings(otlp_endpoint=url)


def test_without_its_extra_a_process_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsError, match=r"^ARO_OTLP_ENDPOINT needs the extra aro\[tracing\]"):
        load(Settings, {"ARO_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="ARO_OTLP_ENDPOINT must be an address like"):
        load(Settings, {"ARO_OTLP_ENDPOINT": "collector:4318"})


def test_spans_nest_and_say_whose_they_are(collector: Collector) -> None:
    tracing.start("worker", collector.url + "/")
    carrier = {"traceparent": TRACEPARENT}
    with tracing.span("batch", kind="consumer", carrier=carrier, entries=3), tracing.span("store"):
        pass
    spans = by_name(collector)
    assert collector.paths == {"/v1/traces"}
    batch, store = spans["batch"], spans["store"]
    assert (batch.service, batch.trace, batch.parent, batch.attributes) == ("worker", TRACE, PARENT, {"entries": 3})
    assert (store.trace, store.parent) == (TRACE, batch.id)


def test_what_is_carried_is_taken_up(collector: Collector) -> None:
    tracing.start("worker", collector.url)
    given = {"X-Request-ID": "abc"}
    with tracing.span("send"):
        headers = tracing.carried(given)
    with tracing.span("take", carrier=headers):
        pass
    spans = by_name(collector)
    assert given == {"X-Request-ID": "abc"}
    assert headers.keys() == {"X-Request-ID", "traceparent"}
    assert (spans["take"].trace, spans["take"].parent) == (spans["send"].trace, spans["send"].id)


@pytest.mark.parametrize("told", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01"])
def test_nonsense_begins_a_trace_of_its_own(collector: Collector, told: str) -> None:
    tracing.start("worker", collector.url)
    with tracing.span("take", carrier={"traceparent": told}):
        pass
    assert by_name(collector)["take"].parent == ""


def test_a_request_is_a_span_below_its_caller(collector: Collector) -> None:
    app = create_app("storage", health=Health(ready={}), verifier=None, otlp_endpoint=collector.url)

    @app.get("/chains/<product>")
    @public
    def chain(product: str) -> str:
        with tracing.span("read"):
            return product

    @app.get("/broken")
    @public
    def broken() -> str:
        raise RuntimeError

    client = app.test_client()
    answer = client.get("/chains/NIFTY", headers={"traceparent": TRACEPARENT})
    assert client.get("/broken").status_code == 500
    assert client.get("/nowhere/NIFTY").status_code == 404
    assert client.get("/livez").status_code == 200
    spans = by_name(collector)
    assert set(spans) == {"GET /chains/<product>", "read", "GET /broken", "GET unmatched"}
    served = spans["GET /chains/<product>"]
    assert (served.service, served.trace, served.parent) == ("storage", TRACE, PARENT)
    assert served.attributes["http.route"] == "/chains/<product>"
    assert served.attributes["http.response.status_code"] == 200
    assert served.attributes["aro.trace.id"] == answer.headers["X-Request-ID"]
    assert spans["read"].parent == served.id
    assert spans["GET /broken"].attributes["http.response.status_code"] == 500
    assert spans["GET /broken"].parent == spans["GET unmatched"].parent == ""


def test_a_collector_that_is_away_costs_a_request_nothing(collector: Collector) -> None:
    collector.__exit__()
    app = create_app("storage", health=Health(ready={}), verifier=None, otlp_endpoint=collector.url)
    assert app.test_client().get("/livez").status_code == 200
    assert app.test_client().get("/nowhere").status_code == 404
