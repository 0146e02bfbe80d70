"""Ended sessions get around through a real Redis, whatever happens to it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from aro.adapters import redis_client as clients
from aro.adapters.revocations import MEMORY_SECONDS, Revocations, announce, announce_again
from aro.adapters.tokens import Principal
from aro.contracts.names import KEY_REVOKED, PUBSUB_REVOKE
from aro.contracts.problems import ServiceUnavailable, TokenRevoked
from aro.testing.eventually import eventually
from aro.testing.servers import RedisServer


def principal(session: str) -> Principal:
    return Principal("somebody", "user", "jti", 0, session)


def knows(copy: Revocations, session: str) -> bool:
    try:
        copy.refuse(principal(session))
    except TokenRevoked:
        return True
    return False


class Follower:
    def __init__(self, url: str) -> None:
        self.heard: list[str] = []
        self.client = clients.connect(url, timeout=1)
        self.copy = Revocations(self.client, on_revoked=self.heard.append)
        self.thread = threading.Thread(target=self.copy.run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.copy.stop()
        self.thread.join(5)
        self.client.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def follower(own_redis: RedisServer) -> Iterator[Follower]:
    running = Follower(own_redis.url)
    eventually(running.copy.is_current, "the copy to be loaded")
    yield running
    running.stop()


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[redis.Redis]:
    opened = own_redis.client()
    yield opened
    opened.close()


def test_it_is_known_within_a_second(follower: Follower, client: redis.Redis) -> None:
    assert not knows(follower.copy, "ends")
    started = time.monotonic()
    announce(client, "ends", now=time.time())
    eventually(lambda: knows(follower.copy, "ends"), "the end to be known", interval=0.005)
    assert time.monotonic() - started < 1
    assert not knows(follower.copy, "stays")
    announce(client, "ends", now=time.time())
    announce(client, "another", now=time.time())
    eventually(lambda: "another" in follower.heard, "the next one")
    assert follower.heard == ["ends", "another"]
    follower.copy.refuse(principal(""), strict=True)


def test_who_comes_later_learns_it_from_the_set(own_redis: RedisServer, client: redis.Redis) -> None:
    announce(client, "before", now=time.time())
    announce(client, "long ago", now=time.time() - MEMORY_SECONDS - 1)
    late = Follower(own_redis.url)
    eventually(lambda: knows(late.copy, "before"), "the set to be read")
    assert not knows(late.copy, "long ago")
    late.stop()


def test_the_set_does_not_grow_for_ever(client: redis.Redis) -> None:
    announce(client, "old", now=time.time() - MEMORY_SECONDS - 1)
    announce(client, "new", now=time.time())
    assert client.zrange(KEY_REVOKED, 0, -1) == [b"new"]


def test_what_redis_knows_is_not_told_again(client: redis.Redis) -> None:
    now = time.time()
    ended = {"a": now, "b": now - 60, "long ago": now - MEMORY_SECONDS}
    assert announce_again(client, ended, now=now) == 2
    assert announce_again(client, ended, now=now) == 0
    assert client.zscore(KEY_REVOKED, "b") == pytest.approx(now - 60 + MEMORY_SECONDS)
    client.zrem(KEY_REVOKED, "b")
    assert announce_again(client, ended, now=now) == 1
    assert announce_again(client, {}, now=now) == 0


def test_a_redis_that_forgot_does_not_make_the_copy_forget(follower: Follower, client: redis.Redis) -> None:
    announce(client, "ends", now=time.time())
    eventually(lambda: knows(follower.copy, "ends"), "the end to be known")
    client.flushall()
    announce(client, "later", now=time.time())
    eventually(lambda: knows(follower.copy, "later"), "the next one")
    assert knows(follower.copy, "ends")


def test_after_an_outage_the_set_is_read_at_once(follower: Follower, own_redis: RedisServer) -> None:
    own_redis.restart()
    client = own_redis.client()
    # Into the set only, as if the announcement had been missed.
    client.zadd(KEY_REVOKED, {"missed": time.time() + 60})
    eventually(lambda: knows(follower.copy, "missed"), "what was missed", seconds=4)
    announce(client, "after", now=time.time())
    eventually(lambda: knows(follower.copy, "after"), "announcements to be followed again", seconds=4)
    client.close()


def test_without_redis_data_is_open_and_administration_closed() -> None:
    alone = Revocations(clients.connect("redis://127.0.0.1:1", timeout=0.2))
    alone.refuse(principal("any"))
    with pytest.raises(ServiceUnavailable):
        alone.refuse(principal("any"), strict=True)


def test_rubbish_on_the_channel_is_survived(follower: Follower, client: redis.Redis) -> None:
    client.publish(PUBSUB_REVOKE, b"\xff\xfe\x00")
    client.publish(PUBSUB_REVOKE, b"")
    announce(client, "ends", now=time.time())
    eventually(lambda: knows(follower.copy, "ends"), "the end to be known")


def test_a_caller_s_mistake_does_not_end_the_following(own_redis: RedisServer, client: redis.Redis) -> None:
    heard: list[str] = []

    def fail_once(session: str) -> None:
        heard.append(session)
        if len(heard) == 1:
            raise RuntimeError("a defect")

    connection = clients.connect(own_redis.url, timeout=1)
    copy = Revocations(connection, on_revoked=fail_once)
    thread = threading.Thread(target=copy.run, daemon=True)
    thread.start()
    eventually(copy.is_current, "the copy to be loaded")
    announce(client, "first", now=time.time())
    eventually(lambda: knows(copy, "first"), "the first")
    announce(client, "second", now=time.time())
    eventually(lambda: "second" in heard, "the second", seconds=5)
    copy.stop()
    thread.join(5)
    connection.close()
