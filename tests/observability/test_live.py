"""A real Prometheus beside the whole platform: what boards and alerts ask is there, and a dead feed is noticed."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from expressions import RULE_FILES, alerts, everything, metrics_of, recorded
from prometheus_local import configuration

from aro.testing.eventually import eventually
from aro.testing.platform import REPLAY, SERVICES, Platform
from aro.testing.servers import Process, free_port
from aro.testing.witness import ClientWitness

pytestmark = pytest.mark.e2e

JOBS = {
    "api-gateway": "api operations",
    "socket-gateway": "gateway",
    "logging-service": "logging",
    "feed-generator": "feed",
    "feed-replay": REPLAY,
    "worker-consume": "consume",
    "worker-enricher": "work",
    "worker-beat": "beat",
    **{name: name for name in ("auth", "storage", "analytics")},
}
"""Job → name of its port in `Platform`."""
ONLY_ON_FAULTS = {
    "upstream_failures_total": "a service behind the api-gateway did not answer",
    "bulkhead_rejected_total": "a service behind the api-gateway is overloaded",
    "rate_limited_total": "a client asked too often",
    "token_exchanges_total": "a personal token was shown",
    "auth_sessions_ended_total": "somebody logged out",
    "auth_throttled_total": "somebody tries to log in too often",
    "feed_rejected_total": "a source sends what is not sound",
    "analytics_cache_hits_total": "the same question came twice",
    "ws_disconnects_total": "a client has gone",
}
"""Metrics with a label whose values are not known beforehand: no series before the first event."""


class Prometheus(Process):
    def __init__(self, folder: Path, platform: Platform) -> None:
        found = shutil.which("prometheus")
        if found is None:
            pytest.skip("prometheus is not on PATH")
        self.url = f"http://127.0.0.1:{free_port()}"
        targets = {job: f"127.0.0.1:{platform.ports[name]}" for job, name in JOBS.items()}
        file = folder / "prometheus.yml"
        file.write_text(json.dumps(configuration(targets, hasty_rules(folder), interval="1s")))
        command = [found, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
        super().__init__([*command, f"--web.listen-address={self.url.removeprefix('http://')}"], folder / "log")

    def get(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        assert answer.ok, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def firing(self, name: str) -> list[dict[str, Any]]:
        found = self.get("alerts")["alerts"]
        return [item for item in found if item["labels"]["alertname"] == name and item["state"] == "firing"]


def hasty_rules(folder: Path) -> list[Path]:
    """The real rules, evaluated each second and without waiting for a fault to last."""
    made = []
    for path in RULE_FILES:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                rule.pop("for", None)
        made.append(folder / path.name)
        made[-1].write_text(yaml.safe_dump(document))
    return made


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    feed = ["--products", "NIFTY", "--interval", "0.5"]
    running = Platform(Path(tmp_path_factory.mktemp("observed")), feed_arguments=feed)
    try:
        running.start((*SERVICES, REPLAY))
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def prometheus(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    running = Prometheus(Path(tmp_path_factory.mktemp("prometheus")), platform)
    running.start()
    try:
        eventually(lambda: all_up(running), "all targets to be up", seconds=30, interval=0.2)
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def life(platform: Platform, prometheus: Prometheus) -> Iterator[None]:
    """Somebody logs in, asks, and follows a channel, so that what is counted per event has events."""
    account = {"email": "observer@example.com", "password": "seen by nobody but me"}
    api = f"{platform.url('api')}/api/v1"
    requests.post(f"{api}/auth/register", json=account, timeout=10).raise_for_status()
    token = requests.post(f"{api}/auth/login", json=account, timeout=10).json()["access_token"]
    asked = {"Authorization": f"Bearer {token}"}

    def answered(path: str) -> bool:
        return requests.get(f"{api}{path}", headers=asked, timeout=10).ok

    for path in ("/chains/NIFTY", "/products", "/analytics/NIFTY/pcr"):
        eventually(partial(answered, path), f"{path} to be answered", seconds=20, interval=0.2)
    client = ClientWitness(platform.url("gateway"), token, ["ticks:NIFTY", "metrics:NIFTY:*"])
    client.start()
    try:
        eventually(lambda: client.total_updates() > 20, "updates to arrive", seconds=20)
        yield
    finally:
        client.stop()


def all_up(prometheus: Prometheus) -> bool:
    try:
        targets = prometheus.get("targets", state="active")["activeTargets"]
    except requests.ConnectionError:
        raise AssertionError(prometheus.output()[-500:]) from None
    return {target["labels"]["job"] for target in targets if target["health"] == "up"} == set(JOBS)


def test_every_expression_is_answered_and_every_metric_is_there(life: None, prometheus: Prometheus) -> None:
    used = {name: place for place, text in everything().items() for name in metrics_of(text)}
    missing_at_first = {*ONLY_ON_FAULTS, "ALERTS"}
    assert missing_at_first <= set(used), "listed, but used nowhere"

    def served() -> bool:
        known = set(prometheus.get("label/__name__/values"))
        missing = {name: used[name] for name in set(used) - known if name not in missing_at_first}
        assert not missing
        return True

    eventually(served, "every metric to be scraped", seconds=45, interval=1.0)
    for text in everything().values():
        prometheus.get("query", query=text)
    groups = prometheus.get("rules")["groups"]
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []
    evaluated = {rule["name"] for group in groups for rule in group["rules"]}
    assert evaluated == {alert["alert"] for alert in alerts()} | recorded()


def test_a_platform_that_is_well_rings_no_bell(life: None, prometheus: Prometheus) -> None:
    """But for what a crowded machine may do to latencies.

    The hasty rules ring for one scrape that took longer than a second, which the real ones wait out; what is wrong
    with a platform or with a rule goes on ringing.
    """
    slow = {"EndToEndLatencyHigh", "EventLoopLagHigh", "ApiLatencyHigh", "TopicStale", "OldestPendingHigh"}

    def silent() -> bool:
        found = prometheus.get("alerts")["alerts"]
        assert {item["labels"]["alertname"] for item in found if item["state"] == "firing"} <= slow
        return True

    eventually(silent, "no bell to ring", seconds=30, interval=0.5)


def test_a_dead_feed_is_noticed_and_so_is_its_return(life: None, platform: Platform, prometheus: Prometheus) -> None:
    eventually(lambda: not prometheus.firing("FeedStalled"), "a live feed to be seen", seconds=20, interval=0.2)
    platform.unguard("feed")
    platform.processes["feed"].kill()
    (alert,) = eventually(lambda: prometheus.firing("FeedStalled"), "FeedStalled to fire", seconds=30, interval=0.2)
    assert alert["labels"] == {"alertname": "FeedStalled", "product": "NIFTY", "severity": "critical"}
    assert alert["annotations"]["summary"] == "No ticks of NIFTY"
    assert prometheus.firing("TargetDown")
    platform.guard("feed")
    eventually(lambda: not prometheus.firing("FeedStalled"), "FeedStalled to end", seconds=30, interval=0.2)
