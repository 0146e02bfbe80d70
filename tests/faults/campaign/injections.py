"""Faults that come in through the door: poison, repetitions, and messages that somebody takes away."""

import json
import signal
import time
from functools import partial
from typing import Any, Final

import msgspec

from aro.contracts.codec import MAX_MESSAGE_BYTES, decode_chain, encode_message
from aro.contracts.market import ChainSnapshot
from aro.contracts.names import (
    FIELD_MESSAGE,
    LEDGER_STREAMS,
    QUEUE_ENRICH,
    STREAM_CHAINS,
    TASK_ENRICH,
    live_key,
    log_key,
)
from aro.runtime.celery_app import create_celery
from campaign.stage import Stage

Detail = dict[str, Any]

POLL_SECONDS: Final = 0.005
COPIES: Final = 3
MOST_ENTRIES: Final = 64
"""In one repeated task, as in one of the consumer's."""

_UNANNOUNCED: Final = """
local state = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'source_seq', 'data')
if not state[1] then return false end
local seq = state[2] + 1
redis.call('HSET', KEYS[1], 'seq', seq)
redis.call('XADD', KEYS[2], seq .. '-0', 's', state[3], 'd', state[4])
return {state[1], seq}
"""
"""The last state once more, written and logged as by the publish script, and not announced."""


def poison_entries(stage: Stage, _: str, __: float) -> Detail:
    """One entry for each reason for which the worker rejects one."""
    chain = decode_chain(next(iter(_entries(stage, seconds=30.0, most=1)[STREAM_CHAINS].values())))
    poison = _poison(chain)
    for reason, message in poison:
        fields = {"x": b"no message"} if message is None else {FIELD_MESSAGE: message}
        entry = stage.redis.xadd(STREAM_CHAINS, fields).decode()
        stage.recorder.note("poison", entry=f"{STREAM_CHAINS}|{entry}", reason=reason)
    return {"entries": len(poison)}


def _poison(chain: ChainSnapshot) -> list[tuple[str, bytes | None]]:
    """(reason, message)"""
    other = partial(msgspec.structs.replace, chain)
    negative = msgspec.structs.replace(chain.calls, ask=[-1.0] * len(chain.strikes), bid=[None] * len(chain.strikes))
    short = msgspec.structs.replace(chain.calls, ltp=chain.calls.ltp[:-1])
    crossed = msgspec.structs.replace(chain.calls, bid=[2.0] * len(chain.strikes), ask=[1.0] * len(chain.strikes))
    changed = [
        ("wrong_version", other(v=99)),
        ("not_finite", other(spot=float("nan"))),
        ("negative", other(calls=negative)),
        ("crossed", other(calls=crossed)),
        ("bad_columns", other(calls=short)),
        ("bad_strikes", other(strikes=chain.strikes[::-1])),
        ("unknown_product", other(product="NOSUCH")),
        ("bad_time", other(expiry="tomorrow")),
    ]
    whole = encode_message(chain)
    return [
        *((reason, encode_message(message)) for reason, message in changed),
        ("malformed", whole[: len(whole) // 2]),
        ("malformed", b"\xc1 no msgpack at all"),
        ("malformed", None),
        ("too_large", whole + bytes(MAX_MESSAGE_BYTES)),
    ]


def poison_tasks(stage: Stage, _: str, __: float) -> Detail:
    """What no consumer would put into the queue: no JSON, no envelope, unknown names, arguments of other kinds."""
    texts = ["no JSON", "[]", "{}", json.dumps({"body": "", "headers": {}, "properties": {}})]
    stage.broker.lpush(QUEUE_ENRICH, *texts)
    app = create_celery("nemesis", broker_url=stage.platform.redis.broker_url)
    with app.producer_or_acquire(None) as producer:
        for name, arguments in (
            ("aro.nonsense", []),
            (TASK_ENRICH, []),
            (TASK_ENRICH, ["nonsense"]),
            (TASK_ENRICH, [{STREAM_CHAINS: ["no entry"]}]),
            (TASK_ENRICH, [{STREAM_CHAINS: 7}]),
        ):
            app.send_task(name, args=arguments, queue=QUEUE_ENRICH, producer=producer)
    app.close()
    return {"tasks": len(texts) + 5}


def entries_again(stage: Stage, _: str, seconds: float) -> Detail:
    """What is in the ledger, several times more."""
    found = _entries(stage, seconds=seconds)
    messages = [(stream, message) for stream, entries in found.items() for message in entries.values()]
    pipe = stage.redis.pipeline(transaction=False)
    for stream, message in messages * COPIES:
        pipe.xadd(stream, {FIELD_MESSAGE: message})
    pipe.execute()
    return {"messages": len(messages), "copies": COPIES}


def tasks_again(stage: Stage, _: str, seconds: float) -> Detail:
    """Batches of what is in the ledger while its own are on the way, several times each."""
    app = create_celery("nemesis", broker_url=stage.platform.redis.broker_url)
    sent, until = 0, time.monotonic() + seconds
    with app.producer_or_acquire(None) as producer:
        while time.monotonic() < until:
            found = _entries(stage, seconds=0.2)
            batch = {stream: [*entries][:MOST_ENTRIES] for stream, entries in found.items() if entries}
            for _copy in range(COPIES if batch else 0):
                app.send_task(TASK_ENRICH, args=[batch], queue=QUEUE_ENRICH, producer=producer)
                sent += 1
    app.close()
    return {"tasks": sent}


def tasks_lost(stage: Stage, _: str, seconds: float) -> Detail:
    """While the worker hangs, somebody takes its tasks away, as a worker does that dies before it has noted them."""
    taken, until = 0, time.monotonic() + seconds
    stage.signal("work", signal.SIGSTOP)
    try:
        while time.monotonic() < until:
            taken += stage.broker.brpop([QUEUE_ENRICH], timeout=0.1) is not None
    finally:
        stage.signal("work", signal.SIGCONT)
    return {"tasks": taken}


def announcements_lost(stage: Stage, _: str, __: float) -> Detail:
    script = stage.redis.register_script(_UNANNOUNCED)
    count = 0
    for channel in stage.series():
        written = script(keys=[live_key(channel), log_key(channel)])
        if written:
            epoch, seq = written
            stage.recorder.note("silent", channel=channel, epoch=epoch.decode(), seq=int(seq))
            count += 1
    return {"channels": count}


def foreign_keys(stage: Stage, _: str, __: float) -> Detail:
    """Somebody writes over live states, and over the logs of other channels."""
    states, logs = stage.series()[::3], stage.series()[1::3]
    for name in [*map(live_key, states), *map(log_key, logs)]:
        stage.redis.set(name, "nothing of ours")
    return {"states": len(states), "logs": len(logs)}


def _entries(stage: Stage, *, seconds: float, most: int | None = None) -> dict[str, dict[str, bytes]]:
    """Stream → entry id → message, of what passes through the ledger in so many seconds, or the first `most` chains."""
    found: dict[str, dict[str, bytes]] = {stream: {} for stream in LEDGER_STREAMS}
    until = time.monotonic() + seconds
    while time.monotonic() < until and (most is None or len(found[STREAM_CHAINS]) < most):
        for stream in LEDGER_STREAMS:
            for entry, fields in stage.redis.xrange(stream):
                if FIELD_MESSAGE.encode() in fields:
                    found[stream][entry.decode()] = fields[FIELD_MESSAGE.encode()]
        time.sleep(POLL_SECONDS)
    return found
