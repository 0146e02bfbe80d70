"""Replay sessions in a real Redis: how many there may be, who holds what, and that their end leaves nothing."""

import threading
from typing import Any

import msgspec
import pytest

from aro.adapters.live import REPLAY_LOG_BYTES, LivePublisher, LiveReader, Publication
from aro.adapters.replay_sessions import ReplayLedger, ReplaySessions
from aro.contracts.names import (
    KEY_REPLAY_PLAYER,
    LIVE_INDEX,
    PUBSUB_LIVE,
    REPLAY_ENDED,
    chain_channel,
    log_key,
    replay_bus,
    replay_channel,
)
from aro.contracts.problems import Conflict
from aro.contracts.replays import Replayed, ReplayOrder, ReplayProgress

CHAIN = chain_channel("NIFTY", "2026-12-29")


def order(number: int, owner: str = "ann") -> ReplayOrder:
    return ReplayOrder(
        id=f"{number:016x}",
        owner=owner,
        created_ts=number,
        recording=None,
        products=("NIFTY",),
        from_ts=1,
        to_ts=None,
        speed=1.0,
        paused=False,
    )


def test_sessions_are_bounded_however_many_ask_at_once(redis_client: Any) -> None:
    sessions = ReplaySessions(redis_client)
    refused: list[int] = []

    def add(number: int) -> None:
        try:
            sessions.add(order(number, owner=f"user {number % 4}"), most_of_owner=2, most=5)
        except Conflict:
            refused.append(number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    owners = [found.owner for found in sessions.orders().values()]
    assert len(owners) == 5
    assert len(refused) == 11
    assert max(map(owners.count, owners)) <= 2


def test_an_order_changes_in_one_step_or_not_at_all(redis_client: Any) -> None:
    sessions = ReplaySessions(redis_client)
    sessions.add(order(1), most_of_owner=1, most=1)
    changed = sessions.change(order(1).id, lambda found: msgspec.structs.replace(found, speed=4.0))
    assert changed == sessions.order(order(1).id) == msgspec.structs.replace(order(1), speed=4.0)
    assert sessions.change(order(1).id, lambda _: None) is None
    assert sessions.change(order(2).id, lambda found: found) is None
    assert sessions.orders() == {order(1).id: changed}


def test_only_what_belongs_to_a_session_is_published_and_its_end_leaves_nothing(redis_client: Any) -> None:
    sessions, publisher = ReplaySessions(redis_client), LivePublisher(redis_client)
    session, channel = order(7).id, replay_channel(order(7).id, CHAIN)
    publication = Publication(channel, 9, b'{"n":1}')
    assert not publisher.publish([publication])[0].accepted
    sessions.add(order(7), most_of_owner=1, most=1)
    listening = redis_client.pubsub(ignore_subscribe_messages=True)
    listening.subscribe(PUBSUB_LIVE, replay_bus(session))
    assert publisher.publish([publication])[0].accepted
    assert not publisher.publish([publication])[0].accepted
    assert sessions.channels(session) == {channel}
    assert not redis_client.sismember(LIVE_INDEX, channel)
    assert LiveReader(redis_client).channels() == set()
    sessions.note(session, ReplayProgress(state="playing", revision=1))
    sessions.end(session, "its owner stopped it")
    sessions.end(session, "again")
    assert not publisher.publish([Publication(channel, 10, b"{}")])[0].accepted
    assert [key for key in redis_client.keys("*") if session.encode() in key or b"replay" in key] == []
    heard = []
    while len(heard) < 3:
        message = listening.get_message(timeout=5)
        if message is not None:
            heard.append((message["channel"].decode(), message["data"].split(b"\n")[0]))
    assert {name for name, _ in heard} == {replay_bus(session)}
    assert heard[1][1].decode() == f"{REPLAY_ENDED} {session} its owner stopped it"


def test_the_log_of_a_session_is_short(redis_client: Any) -> None:
    sessions, publisher = ReplaySessions(redis_client), LivePublisher(redis_client)
    sessions.add(order(1), most_of_owner=1, most=1)
    channel = replay_channel(order(1).id, CHAIN)
    for number in range(1, 9):
        publisher.publish([Publication(channel, number, b"{%s}" % (b" " * (REPLAY_LOG_BYTES // 3)))])
    assert redis_client.xlen(log_key(channel)) == 2


def test_one_holds_it_and_the_next_one_when_it_is_given_back(redis_client: Any) -> None:
    sessions = ReplaySessions(redis_client)
    assert not sessions.has_player()
    assert sessions.hold(KEY_REPLAY_PLAYER, "one", milliseconds=60_000)
    assert sessions.hold(KEY_REPLAY_PLAYER, "one", milliseconds=60_000)
    assert not sessions.hold(KEY_REPLAY_PLAYER, "two", milliseconds=60_000)
    sessions.release(KEY_REPLAY_PLAYER, "two")
    assert sessions.has_player()
    sessions.release(KEY_REPLAY_PLAYER, "one")
    assert sessions.hold(KEY_REPLAY_PLAYER, "two", milliseconds=60_000)


def test_who_listens_is_known_by_subscriptions(redis_client: Any) -> None:
    sessions = ReplaySessions(redis_client)
    listening = redis_client.pubsub()
    listening.subscribe(replay_bus("a"))
    listening.get_message(timeout=5)
    assert sessions.listened(["a", "b"]) == {"a": True, "b": False}
    assert sessions.listened([]) == {}


def test_what_is_played_waits_in_order_until_it_is_removed(redis_client: Any) -> None:
    ledger = ReplayLedger(redis_client)
    messages = [
        Replayed(session="a", product="NIFTY", expiry=None, source_seq=number, message=b"m") for number in range(5)
    ]
    ledger.append(messages)
    ids = ledger.oldest(3)
    assert len(ledger) == 5
    found = [msgspec.msgpack.decode(data, type=Replayed) for data in ledger.messages(ids).values()]
    assert found == messages[:3]
    ledger.remove(ids)
    assert (len(ledger), ledger.has(ids[0]), ledger.has(ledger.oldest(1)[0])) == (2, False, True)
    ledger.wait(1)


@pytest.mark.parametrize("ids", [[], ["1-1"]])
def test_what_is_gone_is_nothing(redis_client: Any, ids: list[str]) -> None:
    assert dict(ReplayLedger(redis_client).messages(ids)) == {}
    ReplayLedger(redis_client).remove(ids)
