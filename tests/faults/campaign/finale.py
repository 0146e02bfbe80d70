"""The end of a campaign: everything comes to rest, and what Redis and MongoDB hold then goes into the history."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from aro.adapters.chain_store import ChainStore
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.paging import Page
from aro.adapters.tick_store import TickStore
from aro.contracts.codec import encode_json, message_id
from aro.contracts.names import COLLECTION_CHAINS, COLLECTION_METRICS, COLLECTION_TICKS, snapshot_id
from aro.testing.eventually import eventually
from campaign.history import digests
from campaign.stage import Stage

SKEW_MS = 2 * 3_600_000
"""A feed whose clock is wrong says other times than ours; longer than any fault makes it wrong."""
PAGE = 500
MAX_DEAD = 10_000


def finish(stage: Stage, *, began: float, seconds: float) -> None:
    """Stop the feed, wait at most `seconds` until nothing is owed and everybody has arrived, and note what there is."""
    stage.platform.unguard("feed")
    stage.platform.processes["feed"].stop()
    drained = _comes(lambda: stage.owed() == 0, "the ledger to be empty", stage, seconds)
    drained &= _comes(stage.at_rest, "clients to arrive", stage, seconds)
    # Status and surfaces go on by themselves; nothing may change after the clients' last look.
    for name in ("beat", "work"):
        stage.platform.unguard(name)
        stage.platform.processes[name].stop(seconds=45)
    drained &= _comes(stage.at_rest, "clients to arrive at the end", stage, seconds)
    stage.leave()
    _note_live(stage)
    _note_dead(stage)
    _note_stored(stage, round(began) - SKEW_MS, round(time.time() * 1000) + SKEW_MS)
    stage.recorder.note("end", drained=drained)


def _comes(probe: Callable[[], bool], what: str, stage: Stage, seconds: float) -> bool:
    try:
        eventually(probe, what, seconds=seconds)
    except AssertionError as error:
        stage.recorder.note("recovered", number=0, ok=False, detail=str(error)[:400])
        return False
    return True


def _note_live(stage: Stage) -> None:
    for channel in stage.reader.channels():
        state = stage.reader.state(channel)
        if state is not None:
            _, exact = digests(msgspec.json.decode(state.data))
            position = {"epoch": state.epoch, "seq": state.seq, "source_seq": state.source_seq}
            stage.recorder.note("live", channel=channel, **position, exact=exact)


def _note_dead(stage: Stage) -> None:
    for letter in DeadLetters(stage.redis).list(limit=MAX_DEAD):
        name = message_id(letter.message) if letter.is_whole else None
        stage.recorder.note("dead", entry=f"{letter.stream}|{letter.entry_id}", id=name, reason=letter.reason)


def _note_stored(stage: Stage, start_ms: int, end_ms: int) -> None:
    span: dict[str, Any] = {"start_ms": start_ms, "end_ms": end_ms, "limit": PAGE}
    chains, ticks = ChainStore(stage.database), TickStore(stage.database)
    found: dict[str, dict[str, bytes]] = {COLLECTION_CHAINS: {}, COLLECTION_METRICS: {}, COLLECTION_TICKS: {}}
    for product in stage.products:
        for item in chains.expiries(product):
            of = product, str(item["expiry"])
            for chain in _all(lambda cursor, of=of: chains.chains(*of, **span, cursor=cursor)):
                found[COLLECTION_CHAINS][snapshot_id(*of, chain.source_seq)] = chain.data
            for metrics in _all(lambda cursor, of=of: chains.metrics(*of, **span, cursor=cursor)):
                found[COLLECTION_METRICS][metrics.id] = encode_json(metrics)
        for tick in _all(lambda cursor, product=product: ticks.ticks(product, **span, cursor=cursor)):
            found[COLLECTION_TICKS][tick.id] = encode_json(tick)
    for collection, states in found.items():
        # Beside the readers, and not by `_id` alone: a second document under another name would be one too many.
        heads = list(stage.database[collection].find({}, {"product": 1, "expiry": 1, "source_seq": 1}))
        times = Counter(
            "|".join(str(head[key]) for key in ("product", "expiry", "source_seq") if key in head) for head in heads
        )
        for name, count in times.items():
            content, exact = digests(msgspec.json.decode(states[name])) if name in states else ("", "")
            stage.recorder.note("stored", collection=collection, id=name, times=count, content=content, exact=exact)


def _all(page: Callable[[str | None], Page[Any]]) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        found = page(cursor)
        yield from found.items
        cursor = found.next_cursor
        if cursor is None:
            return
