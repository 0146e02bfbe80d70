"""The only door to replay sessions in Redis: orders of their owners, their progress, and the end of them.

A session is an order. What is published for it is refused by the publish script from the moment its order is gone, so
its end leaves nothing behind, whatever is still on its way.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import redis

from aro.contracts.codec import encode_json
from aro.contracts.names import (
    FIELD_MESSAGE,
    KEY_REPLAY_ORDERS,
    KEY_REPLAY_PLAYER,
    KEY_REPLAY_PROGRESS,
    KEY_REPLAY_RECORDINGS,
    REPLAY_ENDED,
    STREAM_REPLAY,
    live_key,
    log_key,
    replay_bus,
    replay_index,
)
from aro.contracts.problems import Conflict
from aro.contracts.replays import Replayed, ReplayOrder, ReplayProgress, ReplayRecording

RECORDINGS_SECONDS: Final = 60
_FIELD: Final = FIELD_MESSAGE.encode()

_order = msgspec.json.Decoder(ReplayOrder)
_progress = msgspec.json.Decoder(ReplayProgress)
_recordings = msgspec.json.Decoder(list[ReplayRecording])
_to_msgpack = msgspec.msgpack.Encoder()

_RENEW: Final = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

_OLDEST: Final = """
local found = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do found[i] = entry[1] end
return found
"""


class ReplaySessions:
    """Everything here raises what Redis raises."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client  # the answers below are bytes; the driver's types allow more
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)

    # --- for owners ------------------------------------------------------------------------

    def add(self, order: ReplayOrder, *, most_of_owner: int, most: int) -> None:
        """Raises `Conflict` if the owner, or all together, have as many sessions as they may."""

        def put(pipe: Any) -> None:
            orders = [_order.decode(data) for data in pipe.hvals(KEY_REPLAY_ORDERS)]
            if sum(other.owner == order.owner for other in orders) >= most_of_owner:
                raise Conflict(f"at most {most_of_owner} replay sessions; stop one first")
            if len(orders) >= most:
                raise Conflict(f"all {most} replay sessions are in use; try again later")
            pipe.multi()
            pipe.hset(KEY_REPLAY_ORDERS, order.id, encode_json(order))

        self._redis.transaction(put, KEY_REPLAY_ORDERS)

    def change(self, session: str, changed: Callable[[ReplayOrder], ReplayOrder | None]) -> ReplayOrder | None:
        """Replace an order by what `changed` makes of it, in one step; None if it is gone or `changed` refuses it."""
        result: list[ReplayOrder | None] = []

        def put(pipe: Any) -> None:
            data = pipe.hget(KEY_REPLAY_ORDERS, session)
            order = None if data is None else changed(_order.decode(data))
            pipe.multi()
            if order is not None:
                pipe.hset(KEY_REPLAY_ORDERS, session, encode_json(order))
            result[:] = [order]

        self._redis.transaction(put, KEY_REPLAY_ORDERS)
        return result[0]

    def order(self, session: str) -> ReplayOrder | None:
        data = self._redis.hget(KEY_REPLAY_ORDERS, session)
        return None if data is None else _order.decode(data)

    def progress(self, session: str) -> ReplayProgress:
        data = self._redis.hget(KEY_REPLAY_PROGRESS, session)
        return ReplayProgress() if data is None else _progress.decode(data)

    def channels(self, session: str) -> set[str]:
        """Those that hold state."""
        return {member.decode() for member in self._redis.smembers(replay_index(session))}

    def end(self, session: str, reason: str) -> None:
        """Forget it and all that was published for it, and tell who listens. Safe to repeat."""

        def remove(pipe: Any) -> None:
            channels = [member.decode() for member in pipe.smembers(replay_index(session))]
            pipe.multi()
            pipe.hdel(KEY_REPLAY_ORDERS, session)
            pipe.hdel(KEY_REPLAY_PROGRESS, session)
            for channel in channels:
                pipe.delete(live_key(channel), log_key(channel))
            pipe.delete(replay_index(session))
            pipe.publish(replay_bus(session), f"{REPLAY_ENDED} {session} {reason}")

        self._redis.transaction(remove, replay_index(session))

    # --- for who listens -------------------------------------------------------------------

    def owners(self, sessions: Sequence[str]) -> dict[str, str]:
        """Session → its owner, of those that exist."""
        if not sessions:
            return {}
        found = zip(sessions, self._redis.hmget(KEY_REPLAY_ORDERS, sessions), strict=True)
        return {session: _order.decode(data).owner for session, data in found if data is not None}

    # --- for the player --------------------------------------------------------------------

    def hold(self, key: str, holder: str, *, milliseconds: int) -> bool:
        """Whether `holder` has `key` now, for so long; nobody else has it meanwhile."""
        return bool(self._renew(keys=[key], args=[holder, milliseconds]))

    def release(self, key: str, holder: str) -> None:
        """Give back what `holder` has."""
        self._release(keys=[key], args=[holder])

    def has_player(self) -> bool:
        return bool(self._redis.exists(KEY_REPLAY_PLAYER))

    def orders(self) -> dict[str, ReplayOrder]:
        return {key.decode(): _order.decode(data) for key, data in self._redis.hgetall(KEY_REPLAY_ORDERS).items()}

    def all_progress(self) -> dict[str, ReplayProgress]:
        found = self._redis.hgetall(KEY_REPLAY_PROGRESS)
        return {key.decode(): _progress.decode(data) for key, data in found.items()}

    def note(self, session: str, progress: ReplayProgress) -> None:
        self._redis.hset(KEY_REPLAY_PROGRESS, session, encode_json(progress))

    def forget_progress(self, sessions: Sequence[str]) -> None:
        """Of sessions that ended while it was noted."""
        if sessions:
            self._redis.hdel(KEY_REPLAY_PROGRESS, *sessions)

    def listened(self, sessions: Sequence[str]) -> dict[str, bool]:
        """Whether some gateway follows the session now."""
        if not sessions:
            return {}
        buses = {replay_bus(session): session for session in sessions}
        return {buses[bus.decode()]: count > 0 for bus, count in self._redis.pubsub_numsub(*buses)}

    def offer(self, recordings: Sequence[ReplayRecording]) -> None:
        """What could be played."""
        self._redis.set(KEY_REPLAY_RECORDINGS, encode_json(list(recordings)), ex=RECORDINGS_SECONDS)

    def recordings(self) -> list[ReplayRecording]:
        data = self._redis.get(KEY_REPLAY_RECORDINGS)
        return [] if data is None else _recordings.decode(data)


class ReplayLedger:
    """What sessions play, until it was published. One hand adds, one hands on, and workers remove."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client
        self._oldest = client.register_script(_OLDEST)

    def append(self, messages: Sequence[Replayed]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for message in messages:
            pipe.xadd(STREAM_REPLAY, {FIELD_MESSAGE: _to_msgpack.encode(message)})
        pipe.execute()

    def __len__(self) -> int:
        return int(self._redis.xlen(STREAM_REPLAY))

    def wait(self, milliseconds: int) -> None:
        """Until there is an entry, at most so long."""
        self._redis.xread({STREAM_REPLAY: "0-0"}, count=1, block=milliseconds)

    def oldest(self, most: int) -> list[str]:
        """Ids of entries, oldest first."""
        return [entry.decode() for entry in self._oldest(keys=[STREAM_REPLAY], args=[most])]

    def has(self, entry: str) -> bool:
        return bool(self._redis.xrange(STREAM_REPLAY, entry, entry))

    def messages(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """Id → encoded message, of those that are there."""
        if not ids:
            return {}
        found = self._redis.xrange(STREAM_REPLAY, ids[0], ids[-1])
        return {entry.decode(): fields.get(_FIELD, b"") for entry, fields in found}

    def remove(self, ids: Sequence[str]) -> None:
        if ids:
            self._redis.xdel(STREAM_REPLAY, *ids)
