"""The sender on a real Redis: nothing is lost while it is full, away, restarted or emptied."""

import signal
import threading
import time

import pytest
import redis

from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.redis_client import connect
from aro.contracts.names import FIELD_MESSAGE, KEY_LAST_SOURCE_SEQ, STREAM_CHAINS, STREAM_TICKS
from aro.testing.eventually import eventually
from aro.testing.servers import RedisServer
from feed_generator import metrics
from feed_generator.numbering import SequenceStore
from feed_generator.outbox import Entry, Outbox
from feed_generator.sender import Sender


def entries(*numbers, stream=STREAM_CHAINS):
    return [
        Entry(stream, "NIFTY|2026-12-29", number, "NIFTY", 1_795_000_000_000, str(number).encode())
        for number in numbers
    ]


def in_stream(client, stream=STREAM_CHAINS):
    return [int(fields[FIELD_MESSAGE.encode()]) for _, fields in client.xrange(stream)]


def dropped(reason):
    return metrics.dropped.labels(reason)._value.get()


class Rig:
    """A sender, its outbox and a clock that a test moves."""

    def __init__(self, url, *, capacity=1_000, stream_cap=1_000, clock=None):
        self.client = connect(url, timeout=0.5)
        self.clock = clock or ManualClock(0)
        self.store = SequenceStore(self.client)
        self.outbox = Outbox(capacity)
        self.sender = Sender(self.client, self.store, self.outbox, self.clock, stream_cap=stream_cap)

    def send(self, *numbers):
        self.outbox.put(entries(*numbers))
        return self.sender.turn()


@pytest.fixture
def rig(redis_server, redis_client):
    rig = Rig(redis_server.url)
    yield rig
    rig.client.close()


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that the test may kill."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


def test_entries_reach_their_streams_in_order(rig, redis_client):
    rig.outbox.put(entries(1, stream=STREAM_TICKS) + entries(2, 3))
    assert rig.sender.turn()
    assert (in_stream(redis_client, STREAM_TICKS), in_stream(redis_client)) == ([1], [2, 3])
    assert len(rig.outbox) == 0


def test_numbers_are_stored_and_read_back(rig, redis_server):
    rig.send(7, 9)
    other = Rig(redis_server.url)
    assert other.store.load() == {"NIFTY|2026-12-29": 9}
    other.client.close()


def test_a_full_ledger_is_not_added_to_and_the_oldest_are_dropped(redis_server, redis_client):
    rig = Rig(redis_server.url, capacity=3, stream_cap=2)
    assert rig.send(1, 2)
    before = dropped("backpressure")
    assert not rig.send(3, 4)
    assert not rig.send(5, 6)
    assert in_stream(redis_client) == [1, 2]
    assert dropped("backpressure") == before + 1
    redis_client.xtrim(STREAM_CHAINS, maxlen=0)  # the workers have caught up
    assert rig.sender.turn()
    assert in_stream(redis_client) == [4, 5, 6]
    rig.client.close()


def test_what_an_emptied_redis_forgot_is_sent_again(rig, redis_client):
    for number in range(1, 7):  # one per second
        rig.send(number)
        rig.clock.advance(1.0)
    redis_client.flushall()
    before = metrics.resent._value.get()
    assert rig.send(7)
    # 1 and 2 were confirmed more than 3 s before the last confirmation.
    assert in_stream(redis_client) == [3, 4, 5, 6, 7]
    assert metrics.resent._value.get() == before + 4
    assert redis_client.hgetall(KEY_LAST_SOURCE_SEQ) == {b"NIFTY|2026-12-29": b"7"}
    assert rig.send(8)
    assert in_stream(redis_client)[-2:] == [7, 8]


def test_a_new_contract_is_no_sign_of_loss(rig, redis_client):
    rig.send(1)
    rig.outbox.put([Entry(STREAM_CHAINS, "NIFTY|2027-01-05", 2, "NIFTY", 1, b"2")])
    assert rig.sender.turn()
    assert in_stream(redis_client) == [1, 2]


def test_a_restart_with_data_loss_is_noticed_though_the_client_reconnects(own_redis):
    rig = Rig(own_redis.url)
    for number in (1, 2, 3):
        rig.send(number)
        rig.clock.advance(0.5)
    own_redis.kill()
    for file in (own_redis.log.parent / "appendonlydir").iterdir():
        file.unlink()
    own_redis.start()
    eventually(lambda: rig.sender.turn(), "the sender to reconnect")
    assert in_stream(rig.client) == [1, 2, 3]
    rig.client.close()


def test_redis_away_keeps_the_newest_and_then_sends_them(own_redis):
    rig = Rig(own_redis.url, capacity=5)
    assert rig.send(1)
    own_redis.kill()
    errors, drops = metrics.publish_errors._value.get(), dropped("redis_away")
    for number in range(2, 10):
        assert not rig.send(number)
    assert metrics.publish_errors._value.get() == errors + 8
    assert dropped("redis_away") == drops + 3
    own_redis.start()
    eventually(lambda: rig.sender.turn(), "the sender to reconnect")
    sent = in_stream(rig.client)
    assert sent[-5:] == [5, 6, 7, 8, 9]
    # 1 was confirmed just before: sent again, which readers ignore.
    assert set(sent[:-5]) == {1}
    rig.client.close()


def test_a_hung_redis_bounds_every_turn_and_never_the_tick_loop(own_redis):
    rig = Rig(own_redis.url)
    assert rig.send(1)
    own_redis.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        rig.outbox.put(entries(2))
        assert time.monotonic() - started < 0.1
        assert not rig.sender.turn()
        assert time.monotonic() - started < 3.0
    finally:
        own_redis.signal(signal.SIGCONT)
    eventually(lambda: rig.sender.turn(), "the sender to go on")
    assert in_stream(rig.client)[-1] == 2
    rig.client.close()


def test_nothing_is_missing_after_a_kill_under_load(own_redis):
    """Every number that was put is in the ledger once Redis is back, in rising order but for repetitions."""
    rig = Rig(own_redis.url, clock=SystemClock())
    stop = threading.Event()
    thread = threading.Thread(target=rig.sender.run, args=(stop,))
    thread.start()
    put = 0

    def put_until(count):
        nonlocal put
        while put < count:
            put += 1
            rig.outbox.put(entries(put))
            stop.wait(0.002)

    put_until(200)
    own_redis.kill()
    put_until(300)
    own_redis.start()
    put_until(500)
    reader = own_redis.client()

    def all_there():
        try:
            return set(in_stream(reader)) == set(range(1, 501))
        except redis.ConnectionError as error:
            raise AssertionError(str(error)) from None

    eventually(all_there, "all 500 entries")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    reader.close()
    rig.client.close()


def test_stopping_empties_the_outbox_first(rig, redis_client):
    rig.outbox.put(entries(*range(1, 200)))
    stop = threading.Event()
    stop.set()
    rig.sender.run(stop)
    assert in_stream(redis_client) == list(range(1, 200))


def test_stopping_does_not_wait_for_a_redis_that_is_away(tmp_path):
    rig = Rig("redis://127.0.0.1:1/0")
    rig.outbox.put(entries(1))
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    rig.sender.run(stop)
    assert time.monotonic() - started < 3.0
