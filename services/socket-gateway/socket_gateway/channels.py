"""What the gateway remembers of every channel, and the one rule by which it moves forward.

No I/O happens here: Redis is a `Source`, subscribers are a `Sink`. Within an epoch subscribers see every `seq`
once and in order; where that cannot be had they are told by a reset, never left with a silent hole.

Announcements are only hints. Whatever is not simply the next `seq` is settled by asking the source, because an
announcement may be older than what was read from the source a moment before (it waited in a socket's buffer).
Epochs never return, so the epoch that the source holds *after* a read also held before it.

A Redis that forgot everything may begin its new epoch with what the feed sends again, which is older than what
subscribers saw: an epoch is followed from its first news that is newer.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final, Literal, Protocol

from aro.adapters.live import LiveState, Position
from aro.contracts.names import LOG_LENGTH, ChannelKind, parse_channel
from aro.contracts.problems import UnknownChannel
from socket_gateway.frames import Message

MAX_HELD: Final = 64
"""Publications of a new epoch that may be older than the last news. Beyond that it is not a feed that sends again, but
one whose clock was set back, and to wait for it would be to go silent."""

HISTORY_BYTES: Final = 1 << 20
"""Kept of a channel at most: about 40 chains or `LOG_LENGTH` metrics; more than Redis keeps, since nobody writes it
down."""

ResetReason = Literal["epoch_changed", "gap"]
Entry = tuple[int, bytes]
"""(seq, data)"""


class Source(Protocol):
    """Redis, or a model of it. `aro.adapters.live.LiveReader` says what each answer means."""

    def state(self, channel: str) -> LiveState | None: ...

    def positions(self, channels: Iterable[str]) -> dict[str, Position | None]: ...

    def replay(self, channel: str, first_seq: int, last_seq: int) -> Sequence[Entry]: ...


class Sink(Protocol):
    """Where accepted messages go. Called right after the memory moved, with nothing in between."""

    def update(self, memory: "Memory") -> None:
        """`memory` moved forward by one."""

    def reset(self, memory: "Memory", reason: ResetReason | None) -> None:
        """`memory` holds a state that does not follow the last one; no `reason` when it is the first."""


class Verdict(Enum):
    """What became of an announcement or a position."""

    FIRST = "first"
    NEXT = "next"
    STALE = "stale"
    GAP_REPAIRED = "gap_repaired"
    GAP_RESYNC = "gap_resync"
    EPOCH_CHANGED = "epoch_changed"


_Past = tuple[int, bytes, bytes | None]
"""(seq, data, attachment) of a message that is not the newest any more. A bare tuple of such is no work for the garbage
collector; as objects, those of a whole exchange stopped the gateway for 0.2 s each time."""


class Allowance:
    """What may be kept of messages before the newest: `total` bytes in equal shares, `HISTORY_BYTES` for one channel at
    most. The newest of every channel are kept beyond that."""

    def __init__(self, total: int) -> None:
        self._total = total
        self.share = min(HISTORY_BYTES, total)

    def divide(self, channels: int) -> bool:
        """Whether shares became smaller."""
        before, self.share = self.share, min(HISTORY_BYTES, self._total // max(1, channels))
        return self.share < before


class Memory:
    """The newest state of one channel and the messages before it, without holes."""

    __slots__ = ("_allowance", "_asked_for", "_bytes", "_history", "channel", "epoch", "message", "source_seq")
    epoch: str
    source_seq: int
    message: Message
    """The newest; its forms are built once, however many want them."""
    _bytes: int
    """Of the history, with what is kept deflated."""

    def __init__(self, state: LiveState, allowance: Allowance, history: Sequence[Entry] = ()) -> None:
        self.channel: Final = state.channel
        self._allowance = allowance
        self._history: deque[_Past] = deque()
        self._asked_for: dict[int, Message] = {}
        """Past messages that somebody missed, until the next one comes: who comes back does not come alone."""
        self.replace(state, history)

    @property
    def seq(self) -> int:
        return self.message.seq

    @property
    def data(self) -> bytes:
        return self.message.data

    def advance(self, seq: int, data: bytes) -> None:
        """Take the next message. `seq` must follow the current one."""
        last = self.message
        if seq != last.seq + 1:
            raise ValueError(f"{self.channel}: {seq} does not follow {last.seq}")
        self.message = Message(self.channel, self.epoch, seq, data, last.state)
        last.settle()
        past = (last.seq, last.data, last.attachment)
        self._history.append(past)
        self._asked_for.clear()
        self._bytes += _size(past)
        self.trim()

    def replace(self, state: LiveState, history: Sequence[Entry] = ()) -> None:
        """Start anew at `state`; `history` may hold what came before, and is kept as far as it has no hole."""
        self.epoch, self.source_seq = state.epoch, state.source_seq
        self.message = Message(self.channel, state.epoch, state.seq, state.data)
        self._history.clear()
        self._asked_for.clear()
        self._bytes = 0
        for seq, data in reversed([entry for entry in history if entry[0] < state.seq]):
            if seq != self._first - 1:
                break
            self._history.appendleft((seq, data, None))
            self._bytes += len(data)
        self.trim()

    def trim(self) -> None:
        """Keep what is allowed now."""
        while self._history and (len(self._history) >= LOG_LENGTH or self._bytes > self._allowance.share):
            self._bytes -= _size(self._history.popleft())

    def since(self, epoch: str, seq: int) -> list[Message] | None:
        """All messages after (epoch, seq), oldest first; None if one of them is not remembered any more."""
        if epoch != self.epoch or not self._first - 1 <= seq <= self.seq:
            return None
        missed = [self._message_of(past) for past in self._history if past[0] > seq]
        return [*missed, self.message] if seq < self.seq else missed

    @property
    def _first(self) -> int:
        return self._history[0][0] if self._history else self.seq

    def _message_of(self, past: _Past) -> Message:
        seq, data, attachment = past
        if seq not in self._asked_for:
            self._asked_for[seq] = Message(self.channel, self.epoch, seq, data, attachment=attachment)
        return self._asked_for[seq]


class Sequencer:
    """All memories. Exactly one greenlet may call what moves them; anyone may read."""

    def __init__(self, source: Source, sink: Sink, *, history_bytes: int) -> None:
        self._source = source
        self._sink = sink
        self._allowance = Allowance(history_bytes)
        self._memories: dict[str, Memory] = {}

    def find(self, channel: str) -> Memory | None:
        return self._memories.get(channel)

    def channels(self) -> list[str]:
        return list(self._memories)

    def expiries(self, kind: ChannelKind, product: str) -> list[str]:
        """Names of the product's channels of this kind, in order of expiry."""
        return sorted(name for name in self._memories if name.startswith(f"{kind}:{product}:"))

    def announce(self, news: LiveState) -> Verdict:
        """Follow an announcement. Raises `UnknownChannel` for a foreign name."""
        memory = self._memories.get(news.channel)
        if memory is None:
            _check_name(news.channel)
            return self._begin(news)
        if news.epoch != memory.epoch:
            return self._change_epoch(memory)
        if news.seq <= memory.seq:
            return Verdict.STALE
        if news.seq == memory.seq + 1:
            memory.source_seq = news.source_seq
            self._advance(memory, news.seq, news.data)
            return Verdict.NEXT
        return self._repair(memory, Position(news.epoch, news.seq, news.source_seq), news)

    def catch_up(self, channel: str, position: Position) -> Verdict:
        """Follow a position read from the source, for which announcements should have come but may not have."""
        memory = self._memories.get(channel)
        if memory is None:
            return self.load(channel)
        if position.epoch != memory.epoch:
            return self._change_epoch(memory)
        return self._repair(memory, position, None) if position.seq > memory.seq else Verdict.STALE

    def forget(self, prefix: str) -> None:
        """All channels whose names begin so: nobody will ask for them."""
        for name in [name for name in self._memories if name.startswith(prefix)]:
            del self._memories[name]
        self._allowance.divide(len(self._memories))

    def load(self, channel: str) -> Verdict:
        """Begin a channel with its state and log in the source. Raises `UnknownChannel` for a foreign name."""
        _check_name(channel)
        state = self._source.state(channel)
        if state is None:
            return Verdict.STALE
        return self._begin(state, self._log(state.channel, state.epoch, state.seq - LOG_LENGTH + 1, state.seq))

    def _begin(self, state: LiveState, history: Sequence[Entry] = ()) -> Verdict:
        memory = Memory(state, self._allowance, history)
        self._memories[state.channel] = memory
        if self._allowance.divide(len(self._memories)):
            for each in self._memories.values():
                each.trim()
        self._sink.reset(memory, None)
        return Verdict.FIRST

    def _repair(self, memory: Memory, position: Position, news: LiveState | None) -> Verdict:
        """Messages up to `position` are missing: replay them all, or none and say so."""
        missing = self._log(memory.channel, position.epoch, memory.seq + 1, position.seq)
        if [seq for seq, _ in missing] != list(range(memory.seq + 1, position.seq + 1)):
            return self._resync(memory, news)
        memory.source_seq = position.source_seq
        for seq, data in missing:
            self._advance(memory, seq, data)
        return Verdict.GAP_REPAIRED

    def _change_epoch(self, memory: Memory) -> Verdict:
        """Someone spoke of another epoch: move to the source's, or know better if that is still the same."""
        newest = self._source.state(memory.channel)
        if newest is None or newest.epoch == memory.epoch or _is_held(newest, memory):
            return Verdict.STALE
        return self._jump(memory, newest)

    def _resync(self, memory: Memory, news: LiveState | None) -> Verdict:
        """Give up a hole for the newest state there is: the source's, or `news` of this epoch if that is newer."""
        newest = self._source.state(memory.channel)
        if newest is None or (news is not None and newest.epoch == news.epoch and newest.seq < news.seq):
            newest = news
        if newest is None or (newest.epoch == memory.epoch and newest.seq <= memory.seq) or _is_held(newest, memory):
            return Verdict.STALE
        return self._jump(memory, newest)

    def _jump(self, memory: Memory, newest: LiveState) -> Verdict:
        reason: ResetReason = "gap" if newest.epoch == memory.epoch else "epoch_changed"
        memory.replace(newest)
        self._sink.reset(memory, reason)
        return Verdict.GAP_RESYNC if reason == "gap" else Verdict.EPOCH_CHANGED

    def _log(self, channel: str, epoch: str, first_seq: int, last_seq: int) -> Sequence[Entry]:
        """The log from `first_seq` to `last_seq` as far as it is there; nothing if it may be of another epoch."""
        entries = self._source.replay(channel, max(1, first_seq), last_seq)
        after = self._source.positions([channel])[channel]
        return entries if after is not None and after.epoch == epoch else ()

    def _advance(self, memory: Memory, seq: int, data: bytes) -> None:
        memory.advance(seq, data)
        self._sink.update(memory)


def _size(past: _Past) -> int:
    _, data, attachment = past
    return len(data) + len(attachment or b"")


def _is_held(newest: LiveState, memory: Memory) -> bool:
    """Whether a new epoch is still at what was sent again."""
    return newest.epoch != memory.epoch and newest.source_seq < memory.source_seq and newest.seq <= MAX_HELD


def _check_name(channel: str) -> None:
    # What is outside the grammar could never be subscribed to, and would only fill the memory.
    if parse_channel(channel).is_pattern:
        raise UnknownChannel(f"{channel!r} is a pattern")
