"""The ledger on a real server: nothing leaves it unacknowledged."""

import redis

from aro.adapters.dead_letters import KEPT_BYTES_OF_OVERSIZED, DeadLetters
from aro.adapters.ledger import Ledger
from aro.contracts.codec import MAX_MESSAGE_BYTES
from aro.contracts.names import GROUP_ENRICHERS, STREAM_CHAINS, STREAM_TICKS


def filled(client: redis.Redis, count: int) -> tuple[Ledger, list[str]]:
    ledger = Ledger(client)
    ledger.ensure_groups()
    return ledger, ledger.append([(STREAM_CHAINS, b"message %d" % n) for n in range(count)])


def test_entries_are_delivered_once_in_order_and_fetched_by_id(redis_client: redis.Redis) -> None:
    ledger, ids = filled(redis_client, 5)
    ledger.append([(STREAM_TICKS, b"tick")])
    read = ledger.read_new("a", count=64, block_ms=10)
    assert read[STREAM_CHAINS] == ids
    assert len(read[STREAM_TICKS]) == 1
    assert ledger.read_new("a", count=64, block_ms=1) == {}
    assert ledger.fetch(STREAM_CHAINS, [ids[3], "1-1", ids[0]]) == [b"message 3", None, b"message 0"]
    assert ledger.pending(STREAM_CHAINS) == 5


def test_groups_created_late_still_see_what_was_there_before(redis_client: redis.Redis) -> None:
    ledger = Ledger(redis_client)
    ids = ledger.append([(STREAM_CHAINS, b"early")])
    ledger.ensure_groups()
    ledger.ensure_groups()
    assert ledger.read_new("a", count=1, block_ms=10) == {STREAM_CHAINS: ids}


def test_trim_drops_only_what_everybody_acknowledged(redis_client: redis.Redis) -> None:
    ledger, ids = filled(redis_client, 6)
    ledger.read_new("a", count=4, block_ms=10)
    ledger.ack(STREAM_CHAINS, [ids[0], ids[1], ids[3]])
    ledger.trim(STREAM_CHAINS)
    assert ledger.fetch(STREAM_CHAINS, ids)[2:] == [b"message 2", b"message 3", b"message 4", b"message 5"]
    assert ledger.lengths()[STREAM_CHAINS] == 4
    ledger.ack(STREAM_CHAINS, [ids[2]])
    ledger.trim(STREAM_CHAINS)
    assert ledger.lengths()[STREAM_CHAINS] == 2
    assert ledger.lag(STREAM_CHAINS) == 2


def test_reclaim_counts_deliveries_and_forgiveness_resets_them(redis_client: redis.Redis) -> None:
    ledger, ids = filled(redis_client, 2)
    ledger.read_new("a", count=2, block_ms=10)
    assert ledger.reclaim(STREAM_CHAINS, "b", min_idle_ms=60_000, count=10) == []

    def reclaimed() -> list[tuple[str, int]]:
        claims = ledger.reclaim(STREAM_CHAINS, "b", min_idle_ms=0, count=10)
        return [(claim.id, claim.deliveries) for claim in claims]

    assert reclaimed() == [(ids[0], 2), (ids[1], 2)]
    assert reclaimed() == [(ids[0], 3), (ids[1], 3)]
    ledger.forgive(STREAM_CHAINS, "b", [ids[1]])
    assert reclaimed() == [(ids[0], 4), (ids[1], 2)]


def test_dead_letters_are_kept_listed_retried_and_dropped(redis_client: redis.Redis) -> None:
    ledger, ids = filled(redis_client, 2)
    ledger.read_new("a", count=2, block_ms=10)
    dead = DeadLetters(redis_client)
    dead.bury(STREAM_CHAINS, ids[0], b"message 0", reason="malformed", error="not a ChainSnapshot")
    dead.bury(STREAM_CHAINS, ids[1], b"x" * (MAX_MESSAGE_BYTES + 1), reason="too_large", error="too much")
    assert redis_client.xpending(STREAM_CHAINS, GROUP_ENRICHERS)["pending"] == 0
    oversized, small = dead.list(limit=10)
    assert (small.reason, small.error, small.message, small.is_whole) == (
        "malformed",
        "not a ChainSnapshot",
        b"message 0",
        True,
    )
    assert (len(oversized.message), oversized.size) == (KEPT_BYTES_OF_OVERSIZED, MAX_MESSAGE_BYTES + 1)
    dead.retry(small)
    [(_, new_ids)] = ledger.read_new("a", count=9, block_ms=10).items()
    assert ledger.fetch(STREAM_CHAINS, new_ids) == [b"message 0"]
    assert dead.drop([oversized.id]) == 1
    assert dead.count() == 0
