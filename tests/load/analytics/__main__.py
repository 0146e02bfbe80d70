"""How long each route of analytics takes over an hour of data: ``python -m tests.load.analytics`` from the root.

An hour of one product goes through the real pipeline into servers of its own; then every route is
asked over HTTP: of a state nobody asked about yet (live and past), and again. Milliseconds, medians and 95th of 100.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import requests

from aro.adapters import mongo
from aro.adapters.bar_store import MINUTE_MS, PRODUCT_LEVEL, BarStore, MinuteBars
from aro.adapters.chain_store import ChainRecord, ChainStore
from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.iv_history_store import IvHistoryStore
from aro.adapters.live import LivePublisher, LiveReader, Publication
from aro.adapters.surface_store import SurfaceStore
from aro.adapters.tick_store import TickStore
from aro.adapters.tokens import TokenIssuer
from aro.contracts.analytics import NUMERIC_METRICS
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, metrics_channel, ticks_channel
from aro.testing.servers import MongoServer, RedisServer
from aro.testing.services import HttpService
from auth_service.keys import load_or_create
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.bars import minute_bars
from worker_enricher.pipeline import enrich_chains, enrich_tick, sound_chain
from worker_enricher.surfaces import SurfaceDesk

DATABASE = "aro_load_analytics"
ROUTES: dict[str, dict[str, str]] = {
    "/analytics/NIFTY/pcr": {},
    "/analytics/NIFTY/pcr ": {"scope": "all"},
    "/analytics/NIFTY/pcr  ": {"interval": "1m"},
    "/analytics/NIFTY/straddle": {"interval": "1m"},
    "/analytics/NIFTY/expected-move": {"scope": "all"},
    "/analytics/NIFTY/max-pain": {},
    "/analytics/NIFTY/gex": {},
    "/analytics/NIFTY/gex ": {"scope": "all"},
    "/analytics/NIFTY/smile": {},
    "/analytics/NIFTY/oi-change": {"window": "15m"},
    "/analytics/NIFTY/oi-buildup": {"window": "15m"},
    "/analytics/NIFTY/strategy": {"legs": "{atm}CE,{atm}PE"},
    "/analytics/NIFTY/strategy ": {"legs": "{atm}CE,{atm}PE", "interval": "1m"},
    "/analytics/NIFTY/surface": {},
    "/analytics/NIFTY/surface ": {"axis": "delta"},
    "/analytics/NIFTY/term-structure": {},
    "/analytics/NIFTY/term-structure ": {"interval": "1m"},
    "/analytics/NIFTY/variance-index": {"explain": "1"},
    "/analytics/NIFTY/variance-index ": {"interval": "1m"},
    "/analytics/NIFTY/iv-rank": {},
    "/analytics/NIFTY/realised": {"interval": "1m", "window": "50"},
    "/ohlc/NIFTY": {"interval": "1m"},
    "/ohlc/NIFTY ": {"interval": "5m", "metric": "iv_atm"},
    "/ohlc/{symbol}": {"interval": "1m"},
}
"""Spaces at the end only tell questions to the same route apart."""


class World:
    def __init__(self, redis: RedisServer, database: MongoServer, seconds: int, every: int) -> None:
        self._step = every * 1_000
        self._client = redis.client()
        self._publisher = LivePublisher(self._client)
        self._database = mongo.connect(database.url, DATABASE)
        self._feed = SyntheticProvider(["NIFTY"], seed=3, scenario="calm", exchange_hours=False)
        self._stores = ChainStore(self._database), TickStore(self._database)
        for store in (*self._stores, BarStore(self._database), SurfaceStore(self._database)):
            store.ensure()
        self.end = SystemClock().now_ms() // 1000 * 1000
        self.start = self.end - seconds * 1000
        self._clock = ManualClock(self.start)
        self._desk = SurfaceDesk(
            LiveReader(self._client), self._publisher, IvHistoryStore(self._database), SurfaceStore(self._database),
            self._clock,
        )  # fmt: skip
        self.chain: Any = None
        self._metrics: dict[str, list[Any]] = {}
        self._prices: list[tuple[int, float]] = []

    def run(self) -> None:
        for now in range(self.start, self.end, self._step):
            self.tick(now)
        minutes = [(PRODUCT_LEVEL, [ts for ts, _ in self._prices], {"spot": [price for _, price in self._prices]})]
        for expiry, items in self._metrics.items():
            found = {name: [getattr(item, name) for item in items] for name in NUMERIC_METRICS}
            minutes.append((expiry, [item.source_ts for item in items], found))  # type: ignore[arg-type]
        last = self.end // MINUTE_MS * MINUTE_MS
        for expiry, ts, found in minutes:
            made = minute_bars(ts, found)
            BarStore(self._database).save([MinuteBars("NIFTY", expiry, m, b) for m, b in made.items() if m < last])

    def tick(self, now: int) -> None:
        batch = self._feed.tick(now)
        pairs = enrich_chains(
            [sound_chain(msgspec.structs.replace(chain, source_seq=now)) for chain in batch.chains], computed_ts=now
        )
        records = [ChainRecord(chain, metrics, encode_json(chain)) for chain, metrics in pairs]
        ticks = [enrich_tick(msgspec.structs.replace(tick, source_seq=now)) for tick in batch.ticks]
        self._stores[0].save(records)
        self._stores[1].save(ticks)
        publications = [Publication(ticks_channel("NIFTY"), now, encode_json(tick)) for tick in ticks]
        for record in records:
            expiry = record.chain.expiry
            self._metrics.setdefault(expiry, []).append(record.metrics)
            publications.append(Publication(metrics_channel("NIFTY", expiry), now, encode_json(record.metrics)))
            publications.append(Publication(chain_channel("NIFTY", expiry), now, record.data))
        self._publisher.publish(publications)
        self._prices += [(tick.source_ts, tick.price) for tick in ticks]
        self.chain = min((record.chain for record in records), key=lambda chain: chain.expiry_ts)
        self._clock.advance(self._step / 1000)
        self._desk.publish()

    def news(self) -> None:
        """The same states again under new positions: nothing that was computed is of use."""
        reader = LiveReader(self._client)
        again = []
        for channel in reader.channels():
            state = reader.state(channel)
            if state is not None:
                again.append(Publication(channel, state.source_seq + 1, state.data))
        self._publisher.publish(again)


def measured(question: Callable[[], Any], before: Callable[[], Any], repeats: int) -> list[float]:
    found = []
    for _ in range(repeats):
        before()
        started = time.perf_counter()
        question()
        found.append(1000 * (time.perf_counter() - started))
    return found


def shown(found: list[float]) -> str:
    return f"{statistics.median(found):8.1f} {sorted(found)[int(len(found) * 0.95)]:8.1f}"


def services(stack: ExitStack, directory: Path, redis: RedisServer, database: MongoServer) -> tuple[HttpService, str]:
    shared = {"ARO_MONGO_URL": database.url, "ARO_MONGO_DATABASE": DATABASE, "ARO_REDIS_URL": redis.url}
    auth = HttpService("auth_service", directory, {**shared, "ARO_AUTH_KEY_DIR": str(directory / "keys")})
    analytics = HttpService(
        "analytics_service", directory, {**shared, "ARO_JWKS_URL": f"{auth.url}/.well-known/jwks.json"}
    )
    for service in (auth, analytics):
        stack.callback(service.kill)
        service.start()
    key = load_or_create(directory / "keys")
    issuer = TokenIssuer(key.private, key.kid, issuer="option-aro-auth", audience="option-aro", clock=SystemClock())
    return analytics, issuer.issue("somebody", "user", lifetime=3_600)


def instants(world: World) -> Iterator[int]:
    """Ever other ones, so that no answer is kept."""
    number = 0
    while True:
        number += 1
        yield world.end - 60_000 - 37 * number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3_600, help="of data")
    parser.add_argument("--every", type=int, default=1, help="seconds from one state to the next")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis, database = RedisServer(directory / "redis"), MongoServer(directory / "mongo")
        for server in (redis, database):
            stack.callback(server.kill)
            server.start()
        world = World(redis, database, options.seconds, options.every)
        world.run()
        analytics, token = services(stack, directory, redis, database)
        session = stack.enter_context(requests.Session())
        session.headers["Authorization"] = f"Bearer {token}"
        rows = {}
        print(
            f"{'question':64} {'live p50':>8} {'p95':>8} {'past p50':>8} {'p95':>8} {'kept p50':>8} {'p95':>8}  bytes"
        )
        at = instants(world)
        atm = f"{world.chain.atm_strike:g}"
        symbol = f"NIFTY-{world.chain.expiry.replace('-', '')}-{atm}-CE"
        for path, query in ROUTES.items():
            url = f"{analytics.url}/api/v1{path.strip().format(symbol=symbol)}"
            asked = {name: text.format(atm=atm) for name, text in query.items()}

            def ask(**more: Any) -> bytes:
                answer = session.get(url, params={**asked, **more}, timeout=20)  # noqa: B023
                answer.raise_for_status()
                return answer.content

            live = measured(ask, world.news, options.repeats)
            past = measured(lambda: ask(as_of=next(at)), lambda: None, options.repeats)
            kept = measured(ask, lambda: None, 100)
            name = f"{path.strip()}?{'&'.join(f'{key}={text}' for key, text in query.items())}".rstrip("?")
            print(f"{name:64} {shown(live)} {shown(past)} {shown(kept)}  {len(ask())}")
            rows[name] = {"live_ms": live, "past_ms": past, "kept_ms": kept}
        if options.json:
            options.json.write_text(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
