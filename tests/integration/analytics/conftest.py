"""A market that ran for a quarter of an hour through the real pipeline, and the service that is asked about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from analytics_service import app as analytics_app
from analytics_service.settings import AnalyticsSettings
from aro.adapters import mongo
from aro.adapters.alert_store import AlertStore
from aro.adapters.bar_store import MINUTE_MS, PRODUCT_LEVEL, BarStore, MinuteBars
from aro.adapters.chain_store import ChainRecord, ChainStore
from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.iv_history_store import IvHistoryStore
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.mongo import MongoDatabase
from aro.adapters.surface_store import SurfaceStore
from aro.adapters.tick_store import TickStore
from aro.adapters.tokens import StaticKeys, TokenIssuer
from aro.contracts.analytics import NUMERIC_METRICS, ChainMetrics, EnrichedTick, IvHistoryPoint
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, metrics_channel, ticks_channel
from aro.runtime.preparation import Preparation
from aro.runtime.settings import load
from aro.testing.servers import MongoServer, RedisServer
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.bars import minute_bars
from worker_enricher.pipeline import enrich_chains, enrich_tick, sound_chain
from worker_enricher.surfaces import SurfaceDesk

DATABASE = "aro_analytics_test"
STEP_MS = 10_000
MINUTES = 16
GAP = range(6, 8)
"""Minutes in which nothing came."""
ROLLED = 13
"""Minutes that have bars; the rest is raw."""
SURFACE_EVERY = 2


@dataclass
class Market:
    """What was published, as a client would have seen it."""

    start_ms: int
    end_ms: int = 0
    records: list[ChainRecord] = field(default_factory=list)
    ticks: list[EnrichedTick] = field(default_factory=list)
    surfaces: list[bytes] = field(default_factory=list)

    @property
    def nearest(self) -> str:
        return min(record.chain.expiry for record in self.records)

    @property
    def expiries(self) -> list[str]:
        return sorted({record.chain.expiry for record in self.records})

    def last(self, expiry: str, at: int | None = None) -> ChainRecord:
        return [
            record
            for record in self.records
            if record.chain.expiry == expiry and (at is None or record.chain.source_ts <= at)
        ][-1]

    def metrics(self, expiry: str) -> list[ChainMetrics]:
        return [record.metrics for record in self.records if record.chain.expiry == expiry]


@pytest.fixture(scope="package")
def live_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(Path(tmp_path_factory.mktemp("analytics-redis")))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="package")
def live(live_redis: RedisServer) -> Iterator[redis.Redis]:
    client = live_redis.client()
    yield client
    client.close()


@pytest.fixture(scope="package")
def stored(mongo_server: MongoServer) -> Iterator[MongoDatabase]:
    opened = mongo.connect(mongo_server.url, DATABASE)
    opened.client.drop_database(DATABASE)
    for store in (
        ChainStore(opened),
        TickStore(opened),
        BarStore(opened),
        SurfaceStore(opened),
        IvHistoryStore(opened),
        AlertStore(opened),
    ):
        store.ensure()
    yield opened
    opened.client.drop_database(DATABASE)
    opened.client.close()


@pytest.fixture(scope="package")
def market(live: redis.Redis, stored: MongoDatabase) -> Market:
    end = SystemClock().now_ms() // MINUTE_MS * MINUTE_MS + 30_000
    made = Market(start_ms=end // MINUTE_MS * MINUTE_MS - (MINUTES - 1) * MINUTE_MS)
    feed = SyntheticProvider(["NIFTY"], seed=3, scenario="calm", exchange_hours=False)
    clock = ManualClock(made.start_ms)
    reader, publisher = LiveReader(live), LivePublisher(live)
    desk = SurfaceDesk(reader, publisher, IvHistoryStore(stored), SurfaceStore(stored), clock)
    IvHistoryStore(stored).save(
        [
            IvHistoryPoint(
                product="NIFTY",
                day=f"2026-0{month}-{day:02}",
                iv_30d=0.08 + day / 400,
                variance_index={"cboe": 15.0},
                spot=1.0,
                source_ts=1,
            )
            for month in (7, 8)
            for day in range(1, 29)
        ]
    )
    for step, now in enumerate(range(made.start_ms, end, STEP_MS)):
        clock.advance(STEP_MS / 1000)
        if (now - made.start_ms) // MINUTE_MS in GAP:
            continue
        run(feed, now, stored, publisher, made)
        if step % SURFACE_EVERY == 0:
            desk.publish()
        made.end_ms = now
    desk.publish()
    roll(stored, made, made.start_ms + ROLLED * MINUTE_MS)
    return made


def run(feed: SyntheticProvider, now: int, stored: MongoDatabase, publisher: LivePublisher, made: Market) -> None:
    batch = feed.tick(now)
    sound = [sound_chain(msgspec.structs.replace(chain, source_seq=now)) for chain in batch.chains]
    pairs = enrich_chains(sound, computed_ts=now + 7)
    records = [ChainRecord(chain, metrics, encode_json(chain)) for chain, metrics in pairs]
    ticks = [enrich_tick(msgspec.structs.replace(tick, source_seq=now)) for tick in batch.ticks]
    ChainStore(stored).save(records)
    TickStore(stored).save(ticks)
    publications = [Publication(ticks_channel(tick.product), now, encode_json(tick)) for tick in ticks]
    for record in records:
        where = record.chain.product, record.chain.expiry
        publications.append(Publication(metrics_channel(*where), now, encode_json(record.metrics)))
        publications.append(Publication(chain_channel(*where), now, record.data))
    publisher.publish(publications)
    made.records += records
    made.ticks += ticks


def roll(stored: MongoDatabase, made: Market, until_ms: int) -> None:
    """Minutes before `until_ms` get their bars."""
    series = [(PRODUCT_LEVEL, [tick.source_ts for tick in made.ticks], {"spot": [tick.price for tick in made.ticks]})]
    for expiry in made.expiries:
        metrics = made.metrics(expiry)
        columns = {name: [getattr(item, name) for item in metrics] for name in NUMERIC_METRICS}
        series.append((expiry, [item.source_ts for item in metrics], columns))
    for expiry, ts, columns in series:
        found = minute_bars(ts, columns)
        BarStore(stored).save(
            [MinuteBars("NIFTY", expiry, minute, bars) for minute, bars in found.items() if minute < until_ms]
        )


@pytest.fixture(scope="package")
def app(live: redis.Redis, stored: MongoDatabase) -> Flask:
    """The service in this process, with a key of its own."""
    key = Ed25519PrivateKey.generate()
    environ = {"ARO_REDIS_URL": "unused", "ARO_MONGO_URL": "unused", "ARO_JWKS_URL": "unused", "ARO_PORT": "1"}
    ready = Preparation(lambda: None, retry_on=ValueError)
    ready._run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analytics_app, "JwksKeys", lambda *_, **__: StaticKeys({"test": key.public_key()}))
        built = analytics_app.build(load(AnalyticsSettings, environ), live, stored, ready)
    issuer = TokenIssuer(key, "test", issuer="option-aro-auth", audience="option-aro", clock=SystemClock())
    built.extensions["test_tokens"] = issuer
    return built


Ask = Callable[..., Any]


@pytest.fixture(scope="package")
def client(app: Flask, market: Market) -> FlaskClient:
    return app.test_client()


def headers(app: Flask, user: str = "somebody") -> dict[str, str]:
    return {"Authorization": f"Bearer {app.extensions['test_tokens'].issue(user, 'user', lifetime=3_600)}"}


@pytest.fixture(scope="package")
def raw(app: Flask, client: FlaskClient) -> Callable[..., TestResponse]:
    token = headers(app)

    def ask(path: str, *, sent: dict[str, str] | None = None, **query: Any) -> TestResponse:
        return client.get(f"/api/v1{path}", query_string=query, headers={**token, **(sent or {})})

    return ask


@pytest.fixture(scope="package")
def get(raw: Callable[..., TestResponse]) -> Ask:
    """The decoded answer; an AssertionError unless it is of `status`."""

    def ask(path: str, status: int = 200, **query: Any) -> Any:
        answer = raw(path, **query)
        assert answer.status_code == status, answer.text
        return answer.json if status == 200 else msgspec.json.decode(answer.data)

    return ask
