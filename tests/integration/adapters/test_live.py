"""The publish script on a real server: fencing, numbering, history, and epochs."""

from collections.abc import Callable
from pathlib import Path

import redis

from aro.adapters.live import (
    CHAIN_LOG_BYTES,
    LOG_BYTES,
    LivePublisher,
    LiveReader,
    Position,
    Publication,
    parse_announcement,
)
from aro.adapters.packing import pack
from aro.contracts.names import PUBSUB_LIVE, live_key, log_key
from aro.testing.servers import RedisServer

CHANNEL = "metrics:NIFTY:2026-12-29"


def publication(source_seq: int, data: bytes | None = None, channel: str = CHANNEL) -> Publication:
    return Publication(channel, source_seq, data if data is not None else b'{"n":%d}' % source_seq)


def test_sequence_rises_by_one_and_older_or_repeated_is_dropped(redis_client: redis.Redis) -> None:
    publisher = LivePublisher(redis_client)
    results = publisher.publish([publication(n) for n in (5, 7, 6, 7, 8)])
    assert [(r.accepted, r.seq) for r in results] == [(True, 1), (True, 2), (False, 2), (False, 2), (True, 3)]
    assert len({r.epoch for r in results}) == 1
    reader = LiveReader(redis_client)
    state = reader.state(CHANNEL)
    assert state is not None
    assert (state.seq, state.source_seq, state.data) == (3, 8, b'{"n":8}')
    assert reader.replay(CHANNEL, 1, 3) == [(1, b'{"n":5}'), (2, b'{"n":7}'), (3, b'{"n":8}')]
    assert reader.replay(CHANNEL, 2, 2) == [(2, b'{"n":7}')]
    assert reader.channels() == {CHANNEL}


def test_announcement_carries_position_and_untouched_bytes(redis_client: redis.Redis) -> None:
    pubsub = redis_client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(PUBSUB_LIVE)
    pubsub.get_message(timeout=5)
    data = b'{"text":"line\\nbreak \xc3\xa9","n":[1,null]}'
    [published] = LivePublisher(redis_client).publish([publication(9, data)])
    message = None
    while message is None:
        message = pubsub.get_message(timeout=5)
    announced = parse_announcement(message["data"])
    assert (announced.channel, announced.epoch, announced.seq) == (CHANNEL, published.epoch, published.seq)
    assert (announced.source_seq, announced.data) == (9, data)
    pubsub.close()


def test_what_is_packed_is_held_and_announced_so_and_read_as_it_was(redis_client: redis.Redis) -> None:
    data = b'{"bid":[%s]}' % b",".join(b"%d.05" % n for n in range(2_000))
    pubsub = redis_client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(PUBSUB_LIVE)
    pubsub.get_message(timeout=5)
    LivePublisher(redis_client).publish([Publication(CHANNEL, 4, data, pack(data)), publication(5)])
    heard = []
    while len(heard) < 2:
        message = pubsub.get_message(timeout=5)
        if message is not None:
            heard.append(message["data"])
    pubsub.close()
    assert len(heard[0]) < len(data) / 2
    assert parse_announcement(heard[0]).data == data
    reader = LiveReader(redis_client)
    assert reader.replay(CHANNEL, 1, 2) == [(1, data), (2, b'{"n":5}')]
    LivePublisher(redis_client).publish([Publication(CHANNEL, 6, data, pack(data))])
    state = reader.state(CHANNEL)
    assert state is not None
    assert state.data == data
    assert len(redis_client.hget(live_key(CHANNEL), "data") or b"") < len(data) / 2


def test_several_states_at_once_and_the_order_of_their_age(redis_client: redis.Redis) -> None:
    publisher, reader = LivePublisher(redis_client), LiveReader(redis_client)
    names = ["ticks:NIFTY", "ticks:SPY", "ticks:AAPL", "ticks:SENSEX"]
    for name, seq in zip(names, (30, 10, 20), strict=False):
        publisher.publish([publication(seq, channel=name)])
    states = reader.states(names)
    assert list(states) == names
    assert states == {name: reader.state(name) for name in names}
    assert states["ticks:SENSEX"] is None
    assert reader.oldest_first(names, {}) == ["ticks:SENSEX", "ticks:SPY", "ticks:AAPL", "ticks:NIFTY"]
    tried = {"ticks:SENSEX": 25, "ticks:SPY": 5}
    assert reader.oldest_first(names, tried) == ["ticks:SPY", "ticks:AAPL", "ticks:SENSEX", "ticks:NIFTY"]
    assert reader.states([]) == {}
    assert reader.oldest_first([], {}) == []


def test_the_log_is_as_long_whether_packed_or_not(redis_client: redis.Redis) -> None:
    data = b'{"%s":1}' % (b"x" * (LOG_BYTES // 4))
    news = [Publication(CHANNEL, n, data, pack(data) if n > 10 else None) for n in range(1, 21)]
    for item in news:
        LivePublisher(redis_client).publish([item])
        assert redis_client.xlen(log_key(CHANNEL)) == min(item.source_seq, 3)


def test_flushall_starts_a_new_epoch(redis_client: redis.Redis) -> None:
    publisher = LivePublisher(redis_client)
    [before] = publisher.publish([publication(1)])
    redis_client.flushall()
    [after] = publisher.publish([publication(2)])
    assert after.accepted
    assert after.seq == 1
    assert after.epoch != before.epoch


def test_restart_starts_a_new_epoch_for_every_worker_and_still_fences(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        first, second = LivePublisher(server.client()), LivePublisher(server.client())
        [before] = first.publish([publication(10)])
        second.publish([publication(11)])
        server.restart()
        # Whichever worker comes first renews the epoch; the other one continues it.
        [after] = second.publish([publication(12)])
        assert (after.accepted, after.seq) == (True, 1)
        assert after.epoch != before.epoch
        [stale] = first.publish([publication(11)])
        assert not stale.accepted
        [next_] = first.publish([publication(13)])
        assert (next_.accepted, next_.seq, next_.epoch) == (True, 2, after.epoch)
        reader = LiveReader(server.client())
        assert reader.positions([CHANNEL, "ticks:NIFTY"]) == {
            CHANNEL: Position(after.epoch, 2, 13),
            "ticks:NIFTY": None,
        }
        assert [seq for seq, _ in reader.replay(CHANNEL, 1, 9)] == [1, 2]
    finally:
        server.kill()


def test_log_is_bounded_by_bytes_and_by_count(redis_client: redis.Redis) -> None:
    publisher, reader = LivePublisher(redis_client), LiveReader(redis_client)
    large = b'"' + b"x" * 20_000 + b'"'
    for channel, most in (("chain:NIFTY:2026-12-29", CHAIN_LOG_BYTES), ("surface:NIFTY", LOG_BYTES)):
        publisher.publish([publication(n, large, channel) for n in range(1, 31)])
        kept = most // len(large)
        assert 1 < kept < 30
        assert [seq for seq, _ in reader.replay(channel, 1, 30)] == list(range(31 - kept, 31))
    publisher.publish([publication(n) for n in range(1, 402)])
    assert [seq for seq, _ in reader.replay(CHANNEL, 1, 401)] == list(range(102, 402))


NEIGHBOURS = ("ticks:NIFTY", CHANNEL, "ticks:SPY")
"""One call of the script takes them together."""


def test_what_no_publisher_wrote_gives_way_and_hurts_no_neighbour(redis_client: redis.Redis) -> None:
    publisher, reader, key = LivePublisher(redis_client), LiveReader(redis_client), live_key(CHANNEL)
    writers: list[Callable[[], object]] = [
        lambda: redis_client.set(key, "nothing of ours"),
        lambda: redis_client.rpush(key, "nothing of ours"),
        lambda: redis_client.hset(key, mapping={"run": "x", "epoch": "y", "seq": "many", "source_seq": "few"}),
        lambda: redis_client.hset(key, mapping={"source_seq": "many"}),
    ]
    before = publisher.publish([publication(1, channel=channel) for channel in NEIGHBOURS])
    for number, write in enumerate(writers, 2):
        redis_client.delete(key)
        write()
        after = publisher.publish([publication(number, channel=channel) for channel in NEIGHBOURS])
        assert [published.accepted for published in after] == [True, True, True]
        assert [published.epoch == old.epoch for published, old in zip(after, before, strict=True)] == [
            True,
            False,
            True,
        ]
        state = reader.state(CHANNEL)
        assert state is not None
        assert (state.seq, state.source_seq) == (1, number)
        assert not publisher.publish([publication(number)])[0].accepted
        before = after


def test_a_log_that_no_publisher_wrote_begins_anew(redis_client: redis.Redis) -> None:
    publisher, reader, key = LivePublisher(redis_client), LiveReader(redis_client), log_key(CHANNEL)
    [first] = publisher.publish([publication(1)])
    redis_client.set(key, "nothing of ours")
    [second] = publisher.publish([publication(2)])
    assert (second.accepted, second.epoch, second.seq) == (True, first.epoch, 2)
    redis_client.delete(key)
    redis_client.xadd(key, {"x": "from far ahead"}, id="999-0")
    publisher.publish([publication(3), publication(4)])
    assert reader.replay(CHANNEL, 1, 1_000) == [(3, b'{"n":3}'), (4, b'{"n":4}')]
