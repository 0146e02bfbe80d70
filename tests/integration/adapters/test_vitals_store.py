"""Who says how it is, who is gone, and what a Redis that lost everything knows."""

import msgspec
import redis

from aro.adapters.clock import SystemClock
from aro.adapters.vitals import EVERY_SECONDS, KEPT_SECONDS, VitalsStore
from aro.contracts.names import KEY_VITALS, vitals_key
from aro.contracts.vitals import ProcessVitals
from aro.runtime.vitals import Reporter


def test_who_is_not_heard_any_more_is_gone(redis_client: redis.Redis) -> None:
    store = VitalsStore(redis_client)
    assert store.all() == {}
    store.report("aaaaaa", b"one")
    store.report("bbbbbb", b"two")
    assert store.all() == {"aaaaaa": b"one", "bbbbbb": b"two"}
    left = redis_client.pttl(vitals_key("aaaaaa"))
    assert EVERY_SECONDS < left / 1000 <= KEPT_SECONDS
    redis_client.pexpire(vitals_key("aaaaaa"), 1)
    while redis_client.exists(vitals_key("aaaaaa")):
        pass
    assert store.all() == {"bbbbbb": b"two"}
    assert redis_client.smembers(KEY_VITALS) == {b"bbbbbb"}, "its name is forgotten too"
    store.report("aaaaaa", b"three")
    assert store.all()["aaaaaa"] == b"three"


def test_a_redis_that_lost_everything_knows_all_who_speak_again(redis_client: redis.Redis) -> None:
    store = VitalsStore(redis_client)
    reporter = Reporter(store, "storage", SystemClock(), None)
    reporter.report()
    redis_client.flushall()
    assert store.all() == {}
    reporter.report()
    [(instance, said)] = store.all().items()
    assert instance == reporter.instance
    vitals = msgspec.msgpack.decode(said, type=ProcessVitals)
    assert (vitals.service, vitals.pipeline, vitals.gateway) == ("storage", None, None)
    assert vitals.cpu_seconds >= 0
    assert vitals.memory_bytes is None or vitals.memory_bytes > 1 << 20
