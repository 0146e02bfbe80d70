"""What history has of an instant is byte for byte what was live then: chains, metrics and ticks of a moving market."""

import msgspec
import pytest
import redis
from pymongo.database import Database

from aro.adapters.bar_marks import BarMarks
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import ManualClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LivePublisher, LiveReader
from aro.adapters.mongo import Document
from aro.adapters.tick_store import TickStore
from aro.contracts.codec import encode_json, encode_message
from aro.contracts.names import STREAM_CHAINS, STREAM_TICKS, parse_channel
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.batch import BatchProcessor
from worker_enricher.owed_bars import OwedBars

NOW = 1_795_000_000_000
PRODUCTS = ["NIFTY", "BANKNIFTY", "SENSEX", "SPY", "AAPL"]


@pytest.mark.parametrize("scenario", ["calm", "crash"])
def test_stored_states_encode_to_the_bytes_that_were_live(
    redis_client: redis.Redis, database: Database[Document], scenario: str
) -> None:
    ledger, reader, clock = Ledger(redis_client), LiveReader(redis_client), ManualClock(NOW)
    ledger.ensure_groups()
    chains, ticks, publisher = ChainStore(database), TickStore(database), LivePublisher(redis_client)
    owed = OwedBars(BarMarks(redis_client), clock)
    worker = BatchProcessor(ledger, DeadLetters(redis_client), chains, ticks, publisher, owed, clock, consumer="test")
    feed = SyntheticProvider(PRODUCTS, seed=7, scenario=scenario, exchange_hours=False)
    live: dict[tuple[str, int], bytes] = {}
    for second in range(4):
        now = NOW + 1_000 * second
        clock.advance(1)
        batch = feed.tick(now)
        ledger.append(
            [(STREAM_CHAINS, encode_message(msgspec.structs.replace(chain, source_seq=now))) for chain in batch.chains]
        )
        ledger.append(
            [(STREAM_TICKS, encode_message(msgspec.structs.replace(tick, source_seq=now))) for tick in batch.ticks]
        )
        worker.process(ledger.read_new("test", count=500, block_ms=10))
        for channel in reader.channels():
            state = reader.state(channel)
            assert state is not None
            live[channel, now] = state.data
    assert {parse_channel(channel).kind for channel, _ in live} == {"chain", "metrics", "ticks"}
    for (text, now), data in live.items():
        channel = parse_channel(text)
        assert channel.product is not None
        if channel.kind == "ticks":
            [stored] = ticks.ticks(channel.product, start_ms=now, end_ms=now, limit=9, cursor=None).items
            assert encode_json(stored) == data
        elif channel.kind == "metrics":
            assert encode_json(chains.metrics_at(channel.product, channel.expiry or "", now)) == data
        else:
            assert chains.chain_at(channel.product, channel.expiry or "", now) == data
