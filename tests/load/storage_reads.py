"""How long each public route of storage takes, with so much of the default feed stored.

usage: python tests/load/storage_reads.py [--minutes 60] [--products NIFTY] [--requests 40]

Starts its own MongoDB-compatible server and storage on free ports of 127.0.0.1, stores chains of real size (the
synthetic feed's, solved, once a second and expiry), asks every route one after the other over one connection, and
prints a Markdown table. Half an hour of the same data says whether time grows with what is stored.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import requests

from aro.adapters import mongo
from aro.adapters.chain_store import ChainRecord, ChainStore
from aro.adapters.clock import SystemClock, iso
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tick_store import TickStore
from aro.contracts.codec import encode_json
from aro.contracts.names import snapshot_id, tick_id
from aro.testing.issuer import Issuer
from aro.testing.servers import MongoServer
from aro.testing.services import HttpService
from feed_generator.synthetic.provider import SyntheticProvider
from storage_service.migrations import migrate
from worker_enricher.pipeline import enrich_chains, enrich_tick, sound_chain

DATABASE = "aro_storage_load"
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
SECONDS_AT_ONCE = 20


def store(database: MongoDatabase, products: Sequence[str], *, end_ms: int, seconds: range) -> None:
    """One snapshot of every expiry, stored for each of `seconds` before `end_ms` under that second's name."""
    provider = SyntheticProvider(products, seed=1, scenario="calm", exchange_hours=False)
    batch = provider.tick(end_ms)
    numbered = [msgspec.structs.replace(chain, source_seq=end_ms) for chain in batch.chains]
    solved = enrich_chains([sound_chain(chain) for chain in numbered], computed_ts=end_ms)
    quotes = [enrich_tick(msgspec.structs.replace(quote, source_seq=end_ms)) for quote in batch.ticks]
    chains, ticks = ChainStore(database), TickStore(database)
    for first in range(seconds.start, seconds.stop, SECONDS_AT_ONCE):
        records, prices = [], []
        for second in range(first, min(first + SECONDS_AT_ONCE, seconds.stop)):
            at = end_ms - second * SECOND
            moment = {"source_ts": at, "source_seq": at, "source_time": iso(at)}
            for chain, metrics in solved:
                identity = snapshot_id(chain.product, chain.expiry, at)
                renamed = msgspec.structs.replace(chain, id=identity, **moment)
                numbers = msgspec.structs.replace(metrics, id=identity, **moment)
                records.append(ChainRecord(renamed, numbers, encode_json(renamed)))
            prices += [msgspec.structs.replace(item, id=tick_id(item.product, at), **moment) for item in quotes]
        chains.save(records)
        ticks.save(prices)


def routes(product: str, now: int, span: int) -> dict[str, tuple[str, dict[str, str]]]:
    """What is asked → (path with query, headers). `span` is how much is stored, in milliseconds."""
    middle, day_on = now - span // 2, now + 24 * HOUR
    chain, csv = f"/chains/{product}", {"Accept": "text/csv"}
    return {
        "products": ("/products", {}),
        "expiries": (f"/products/{product}/expiries", {}),
        "expiries, as_of": (f"/products/{product}/expiries?as_of={middle}", {}),
        "chain, latest": (chain, {}),
        "chain, latest, 11 strikes": (f"{chain}?strikes=atm:5", {}),
        "chain, latest, rows": (f"{chain}?shape=rows", {}),
        "chain, latest, CSV": (chain, csv),
        "chain, as_of": (f"{chain}?as_of={middle}", {}),
        "chain, as_of a day after the last": (f"{chain}?as_of={day_on}", {}),
        "metrics, latest": (f"{chain}/metrics", {}),
        "metrics, as_of": (f"{chain}/metrics?as_of={middle}", {}),
        "tick, as_of": (f"/ticks/{product}?as_of={middle}", {}),
        "chain history, 20": (f"{chain}/history?from={middle}&to={now}", {}),
        "chain history, 20, after a day's gap": (f"{chain}/history?from={now - span - 20 * HOUR}&to={now}", {}),
        "chain history, 500": (f"{chain}/history?from={middle - 5 * MINUTE}&to={now}&limit=500", {}),
        "chain history, 500, iv, CSV": (f"{chain}/history?from={middle}&to={now}&limit=500&fields=iv", csv),
        "metrics history, 500": (f"{chain}/metrics/history?from={middle}&to={now}", {}),
        "metrics history, 3,600": (f"{chain}/metrics/history?from={now - span}&to={now}&limit=3600", {}),
        "tick history, 1,000": (f"/ticks/{product}/history?from={middle}&to={now}", {}),
    }


def measure(
    session: requests.Session, url: str, headers: dict[str, str], count: int
) -> tuple[float, float, float, int]:
    """(least ms, median ms, 95th percentile ms, bytes of the answer)."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        answer = session.get(url, headers=headers, timeout=30)
        taken.append((time.perf_counter() - started) * 1000)
        answer.raise_for_status()
    return min(taken), statistics.median(taken), statistics.quantiles(taken, n=20)[-1], len(answer.content)


def run(options: argparse.Namespace, directory: Path, issuer: Issuer) -> None:
    server = MongoServer(directory / "mongo")
    settings = {"ARO_MONGO_URL": server.url, "ARO_MONGO_DATABASE": DATABASE, "ARO_JWKS_URL": issuer.jwks_url}
    # Its retention must not take away what is measured.
    storage = HttpService("storage_service", directory, {**settings, "ARO_CHAIN_RETENTION_HOURS": "100"})
    now = SystemClock().now_ms()
    results: dict[str, list[tuple[float, float, float, int]]] = {}
    try:
        server.start()
        database = mongo.connect(server.url, DATABASE, timeout=60)
        migrate(database, SystemClock())
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {issuer.token()}"
            for part in (range(options.minutes * 30), range(options.minutes * 30, options.minutes * 60)):
                store(database, options.products, end_ms=now, seconds=part)
                storage.start()
                asked = routes(options.products[0], now, options.minutes * MINUTE // 2)
                for name, (path, headers) in asked.items():
                    found = measure(session, f"{storage.url}/api/v1{path}", headers, options.requests)
                    results.setdefault(name, []).append(found)
                storage.kill()
        counts = {name: database[name].estimated_document_count() for name in ("chain_snapshots", "chain_metrics")}
        database.client.close()
    finally:
        storage.kill()
        server.kill()
    print(f"{options.minutes} minutes of {', '.join(options.products)}: {counts}\n")
    print("| route | bytes | half: least ms | median | all: least ms | median | p95 |\n|---|---|---|---|---|---|---|")
    for name, (half, full) in results.items():
        print(
            f"| {name} | {full[3]:,} | {half[0]:.1f} | {half[1]:.1f} | {full[0]:.1f} | {full[1]:.1f} | {full[2]:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--products", nargs="+", default=["NIFTY"])
    parser.add_argument("--requests", type=int, default=40)
    options = parser.parse_args()
    issuer = Issuer()
    issuer.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            run(options, Path(directory), issuer)
    finally:
        issuer.stop()


if __name__ == "__main__":
    main()
