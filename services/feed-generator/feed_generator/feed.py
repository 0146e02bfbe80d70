"""One tick: ask the provider, number, check, encode, hand over."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from aro.contracts.codec import decode_raw_chain, encode_message
from aro.contracts.market import ChainSnapshot, UnderlyingTick
from aro.contracts.names import STREAM_CHAINS, STREAM_TICKS, snapshot_id, tick_id
from aro.contracts.problems import MessageRejected
from aro.quant import wire
from aro.quant.columns import chain_columns, check_head, check_tick
from aro.runtime.logs import TRACE_ID, concerning, get_logger
from feed_generator import metrics
from feed_generator.numbering import SourceSequences
from feed_generator.outbox import Entry, Outbox
from feed_generator.provider import Provider
from feed_generator.truth import TruthFile

log = get_logger(__name__)

Message = TypeVar("Message", ChainSnapshot, UnderlyingTick)


class Feed:
    def __init__(
        self, provider: Provider, sequences: SourceSequences, outbox: Outbox, truth: TruthFile | None = None
    ) -> None:
        self._provider = provider
        self._sequences = sequences
        self._outbox = outbox
        self._truth = truth

    def tick(self, now_ms: int) -> None:
        """Put the state at `now_ms` into the outbox. What is not sound is counted and left out."""
        batch = self._provider.tick(now_ms)
        entries = [entry for tick in batch.ticks if (entry := self._tick_entry(tick, now_ms))]
        chains = [numbered(chain, self._sequences.next(_key(chain), now_ms)) for chain in batch.chains]
        entries += [entry for chain in chains if (entry := _chain_entry(chain))]
        log.debug("made", **concerning(f"{entry.key}|{entry.source_seq}" for entry in entries))
        self._outbox.put(entries)
        if self._truth is not None:
            self._truth.write(list(_numbered_truths(batch.truths, chains)))

    def _tick_entry(self, tick: UnderlyingTick, now_ms: int) -> Entry | None:
        tick = numbered(tick, self._sequences.next(tick.product, now_ms))
        try:
            check_tick(tick)
        except MessageRejected as error:
            _reject(error, tick.product, tick_id(tick.product, tick.source_seq))
            return None
        return Entry(STREAM_TICKS, tick.product, tick.source_seq, tick.product, tick.source_ts, encode_message(tick))


def numbered(message: Message, source_seq: int) -> Message:
    """`message` with its number, which its provider left open."""
    return msgspec.structs.replace(message, source_seq=source_seq)


def _key(chain: ChainSnapshot) -> str:
    return f"{chain.product}|{chain.expiry}"


def _chain_entry(chain: ChainSnapshot) -> Entry | None:
    message = encode_message(chain)
    try:
        _check(chain, message)
        if chain.expiry_ts <= chain.source_ts:
            raise MessageRejected("bad_time", f"{chain.product} {chain.expiry} has expired")
    except MessageRejected as error:
        _reject(error, chain.product, snapshot_id(chain.product, chain.expiry, chain.source_seq))
        return None
    return Entry(STREAM_CHAINS, _key(chain), chain.source_seq, chain.product, chain.source_ts, message)


def _check(chain: ChainSnapshot, message: bytes) -> None:
    """Raises `MessageRejected` as `chain_columns` does; the compiled reader, which is fast, knows what is sound."""
    raw = decode_raw_chain(message)
    if raw is None or wire.read(bytes(raw.strikes), bytes(raw.calls), bytes(raw.puts)) is None:
        chain_columns(chain)
    else:
        check_head(chain)


def _reject(error: MessageRejected, product: str, message_id: str) -> None:
    metrics.rejected.labels(error.reason).inc()
    about = {"product": product[:40], TRACE_ID: message_id}
    log.warning("message rejected", reason=error.reason, detail=error.detail, **about)


def _numbered_truths(truths: Iterable[dict[str, Any]], chains: Iterable[ChainSnapshot]) -> Iterable[dict[str, Any]]:
    for truth, chain in zip(truths, chains, strict=False):
        yield {"source_seq": chain.source_seq, **truth}
