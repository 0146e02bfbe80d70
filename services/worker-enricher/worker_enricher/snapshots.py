"""Snapshots that may enter, as arrays: the way in of the pipeline."""

from dataclasses import dataclass

import numpy as np

from aro.contracts.codec import decode_chain, decode_raw_chain, decode_tick
from aro.contracts.market import ChainSnapshot, RawChain, UnderlyingTick
from aro.contracts.names import snapshot_id
from aro.quant import wire
from aro.quant.arrays import FloatArray
from aro.quant.columns import chain_columns, check_head, check_tick


@dataclass(frozen=True, slots=True)
class SoundChain:
    """A snapshot that passed `chain_columns`, with its columns as `aro.quant.wire.read` arranges them."""

    snapshot: ChainSnapshot | RawChain
    rows: FloatArray
    flags: wire.Flags

    @property
    def id(self) -> str:
        return snapshot_id(self.snapshot.product, self.snapshot.expiry, self.snapshot.source_seq)


def sound_chain(snapshot: ChainSnapshot) -> SoundChain:
    """Raises `MessageRejected` for a snapshot that must not enter."""
    columns = chain_columns(snapshot)
    flags = np.array([snapshot.calls.flags, snapshot.puts.flags], dtype=np.uint8)
    return SoundChain(snapshot, np.stack([columns.strikes, *columns.calls, *columns.puts]), flags)


def read_chain(message: bytes) -> SoundChain:
    """`sound_chain` of an encoded one, by the short way where there is one. Raises `MessageRejected`."""
    raw = decode_raw_chain(message)
    if raw is not None:
        found = wire.read(bytes(raw.strikes), bytes(raw.calls), bytes(raw.puts))
        if found is not None:
            check_head(raw)
            return SoundChain(raw, *found)
    return sound_chain(decode_chain(message))


def read_tick(message: bytes) -> UnderlyingTick:
    """Raises `MessageRejected` for one that must not enter."""
    tick = decode_tick(message)
    check_tick(tick)
    return tick
