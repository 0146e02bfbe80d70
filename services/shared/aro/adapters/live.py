"""Live state: the latest data, epoch and sequence of every client channel, its short log, and announcements.

An *epoch* is one unbroken history of a channel. It changes when Redis restarted or lost its data; within an
epoch `seq` rises by exactly 1 per publication.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import redis

from aro.adapters.packing import json_of
from aro.contracts.names import LIVE_INDEX, LOG_LENGTH, is_replay, live_key, log_key

LOG_BYTES: Final = 256 << 10
"""Log kept per channel: 256 KiB of JSON, packed or not, so about 170 metrics: bars want a minute of them. All logs are
written again whenever Redis rewrites its file, which takes a core from everybody else."""

CHAIN_LOG_BYTES: Final = 96 << 10
"""The same for chains: 4 of 81 strikes. Who missed more is as well served with the newest."""

REPLAY_LOG_BYTES: Final = 64 << 10
"""The same for a channel of a replay session, of which there are many: 2 chains or 40 metrics repair a short gap."""

AT_ONCE: Final = 4
"""Publications in one call of the script: a call costs 20 µs here and there, and keeps Redis from others meanwhile."""

_SCRIPT: Final = files("aro.adapters").joinpath("publish.lua").read_text(encoding="utf-8")
_SINCE: Final = files("aro.adapters").joinpath("since.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Publication:
    """`data` is the JSON of the channel's whole state; `source_seq` fences off what is not newer. `packed` is `data`
    as Redis is to hold and to announce it, where that is shorter."""

    channel: str
    source_seq: int
    data: bytes
    packed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """`accepted` is False when the channel already had this `source_seq` or a later one."""

    accepted: bool
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class LiveState:
    """A channel's state at (epoch, seq); `ts` is when Redis took it, UTC epoch milliseconds."""

    channel: str
    epoch: str
    seq: int
    source_seq: int
    ts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Position:
    epoch: str
    seq: int
    source_seq: int


class LivePublisher:
    """One per process; not for use by several threads at once."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._sha: str | None = None

    def publish(self, publications: Sequence[Publication]) -> list[Published]:
        """All in one round trip, in order. Idempotent: repeating a call publishes nothing twice."""
        if not publications:
            return []
        try:
            return self._send(publications, self._sha or self._load())
        except redis.exceptions.NoScriptError:
            return self._send(publications, self._load())

    def behind(self, newest: Mapping[str, int]) -> set[str]:
        """Of channels with a `source_seq` each, those whose state is older than that, or that have none."""
        pipe = self._redis.pipeline(transaction=False)
        for channel in newest:
            pipe.hget(live_key(channel), "source_seq")
        pairs = zip(newest.items(), pipe.execute(), strict=True)
        return {channel for (channel, seq), held in pairs if held is None or int(held) < seq}

    def _send(self, publications: Sequence[Publication], sha: str) -> list[Published]:
        pipe = self._redis.pipeline(transaction=False)
        for start in range(0, len(publications), AT_ONCE):
            keys: list[str] = []
            arguments: list[str | int | bytes] = []
            for item in publications[start : start + AT_ONCE]:
                length = max(1, min(LOG_LENGTH, _log_bytes(item.channel) // max(1, len(item.data))))
                keys += (live_key(item.channel), log_key(item.channel))
                arguments += (item.source_seq, item.packed or item.data, length, item.channel)
            pipe.evalsha(sha, len(keys), *keys, *arguments)
        return [Published(bool(ok), epoch.decode(), int(seq)) for some in pipe.execute() for ok, epoch, seq in some]

    def _load(self) -> str:
        run_id = str(self._redis.info("server")["run_id"])
        self._sha = _text(self._redis.script_load(_SCRIPT.replace("@run_id@", run_id)))
        return self._sha


class LiveReader:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._since = client.register_script(_SINCE)

    def state(self, channel: str) -> LiveState | None:
        """Raises ValueError or KeyError if no publisher wrote it."""
        fields: dict[bytes, bytes] = self._redis.hgetall(live_key(channel))  # type: ignore[assignment]
        return _state(channel, fields)

    def states(self, channels: Iterable[str]) -> dict[str, LiveState | None]:
        """The `state` of each, in one round trip. Raises as it does."""
        names = list(channels)
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(live_key(name))
        return {name: _state(name, fields) for name, fields in zip(names, pipe.execute(), strict=True)}

    def oldest_first(self, channels: Iterable[str], tried: Mapping[str, int]) -> list[str]:
        """By `source_seq`, or by when they were `tried` in vain since; both in UTC epoch milliseconds."""
        found = self.positions(channels).items()
        known = {name: max(tried.get(name, 0), position.source_seq if position else 0) for name, position in found}
        return sorted(known, key=known.__getitem__)

    def channels(self) -> set[str]:
        """All channels that hold live state."""
        return {member.decode() for member in self._redis.smembers(LIVE_INDEX)}  # type: ignore[union-attr]

    def positions(self, channels: Iterable[str]) -> dict[str, Position | None]:
        """Where each channel is now; None where it holds nothing, or something that no publisher wrote."""
        names = list(channels)
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.hmget(live_key(name), "epoch", "seq", "source_seq")
        answers = pipe.execute(raise_on_error=False)
        return {name: _position(answer) for name, answer in zip(names, answers, strict=True)}

    def replay(self, channel: str, first_seq: int, last_seq: int) -> list[tuple[int, bytes]]:
        """(seq, data) from the channel's log, both ends included; shorter when the log no longer has them.

        The log carries no epoch: compare `positions` before and after.
        """
        entries: Any = self._redis.xrange(log_key(channel), f"{first_seq}-0", f"{last_seq}-0")
        return [(int(entry_id.split(b"-")[0]), json_of(fields[b"d"])) for entry_id, fields in entries]

    def since(self, channel: str, source_seq: int) -> list[bytes]:
        """What the channel's log has of its present epoch, oldest first: back to the first publication that is older
        than `source_seq`, that one included; all of it if none is. Nothing is missing in between."""
        found: list[bytes] = self._since(keys=[log_key(channel)], args=[source_seq])
        return [json_of(data) for data in reversed(found)]


def _log_bytes(channel: str) -> int:
    if is_replay(channel):
        return REPLAY_LOG_BYTES
    return CHAIN_LOG_BYTES if channel.startswith("chain:") else LOG_BYTES


def _state(channel: str, fields: Mapping[bytes, bytes]) -> LiveState | None:
    if not fields:
        return None
    return LiveState(
        channel=channel,
        epoch=fields[b"epoch"].decode(),
        seq=int(fields[b"seq"]),
        source_seq=int(fields[b"source_seq"]),
        ts=int(fields[b"ts"]),
        data=json_of(fields[b"data"]),
    )


def _position(answer: Any) -> Position | None:
    if isinstance(answer, redis.ResponseError) or None in answer:
        return None
    epoch, seq, source_seq = answer
    try:
        return Position(epoch.decode(), int(seq), int(source_seq))
    except ValueError:
        return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def parse_announcement(message: bytes) -> LiveState:
    """What the publish script announced on pub/sub. Raises ValueError for anything else."""
    head, _, data = message.partition(b"\n")
    channel, epoch, seq, source_seq, ts = head.decode().split(" ")
    return LiveState(channel, epoch, int(seq), int(source_seq), int(ts), json_of(data))
