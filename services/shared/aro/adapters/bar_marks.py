"""Which minutes have bars owed to them: marked by whoever stored something of them, taken back when they have them.

So whatever is late, redelivered or back-filled gets its bars like everything else, and no one has to search for it.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import redis

from aro.adapters.turn_lock import turn_lock
from aro.contracts.names import KEY_BARS_DUE, KEY_BARS_SEARCH, KEY_BARS_TURN, KEY_BARS_UNPUBLISHED, bar_id

TURN_MS: Final = 12_000
"""Longer than a task may run."""

_REMOVE_UNLESS_MARKED_AGAIN: Final = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) == tonumber(ARGV[2]) then
  redis.call('SREM', KEYS[2], ARGV[1])
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
"""


@dataclass(frozen=True, slots=True)
class Minute:
    """`expiry` is empty for the product itself; `minute_ts` is the start in UTC epoch milliseconds."""

    product: str
    expiry: str
    minute_ts: int


@dataclass(frozen=True, slots=True)
class Mark:
    """`unpublished`: the log of its channel lacks something of what is stored of it."""

    minute: Minute
    due_ms: int
    unpublished: bool = False


class BarMarks:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._remove = client.register_script(_REMOVE_UNLESS_MARKED_AGAIN)

    def mark(self, due: Iterable[Mark], *, only_new: bool = False) -> None:
        """Call it after what it is about was stored: a mark that is due is followed at any moment.

        A minute that is marked already is due anew, unless `only_new`. What is unpublished stays so until it is done.
        """
        marks = {_member(mark.minute): mark for mark in due}
        if not marks:
            return
        pipe = self._redis.pipeline(transaction=True)
        unpublished = [member for member, mark in marks.items() if mark.unpublished]
        if unpublished:
            pipe.sadd(KEY_BARS_UNPUBLISHED, *unpublished)
        pipe.zadd(KEY_BARS_DUE, {member: mark.due_ms for member, mark in marks.items()}, nx=only_new)
        pipe.execute()

    def due(self, now_ms: int, *, limit: int) -> list[Mark]:
        """What may be rolled up at `now_ms`, latest due first: where not all can be done, the last minutes are what
        people look at, and what the logs of their channels still have."""
        found: Any = self._redis.zrange(
            KEY_BARS_DUE, str(now_ms), "-inf", desc=True, byscore=True, offset=0, num=limit, withscores=True
        )
        if not found:
            return []
        flags: Any = self._redis.smismember(KEY_BARS_UNPUBLISHED, [member for member, _ in found])
        return [
            Mark(_minute(member), int(score), bool(flag)) for (member, score), flag in zip(found, flags, strict=True)
        ]

    def unpublished(self, minutes: Sequence[Minute]) -> bool:
        """Whether anything of these is stored that is not in the log of its channel. At least one minute."""
        flags: Any = self._redis.smismember(KEY_BARS_UNPUBLISHED, [_member(minute) for minute in minutes])
        return any(flags)

    def done(self, marks: Iterable[Mark]) -> None:
        """Forget these marks, except where something was stored and marked since they were read."""
        pipe = self._redis.pipeline(transaction=False)
        for mark in marks:
            keys = [KEY_BARS_DUE, KEY_BARS_UNPUBLISHED]
            self._remove(keys=keys, args=[_member(mark.minute), mark.due_ms], client=pipe)
        pipe.execute()

    def count(self) -> int:
        return int(self._redis.zcard(KEY_BARS_DUE))

    def may_search(self, *, pause_ms: int) -> bool:
        """True for one process in `pause_ms`, and for the first after Redis lost its data."""
        return bool(self._redis.set(KEY_BARS_SEARCH, 1, nx=True, px=pause_ms))

    def search_again(self) -> None:
        """The search that this process may do came to nothing."""
        self._redis.delete(KEY_BARS_SEARCH)

    def turn(self) -> AbstractContextManager[bool]:
        """True inside if it is ours: of two that read and wrote the same minute, the slower could write the less."""
        return turn_lock(self._redis, KEY_BARS_TURN, longest_ms=TURN_MS)


def _member(minute: Minute) -> str:
    return bar_id(minute.product, minute.expiry, minute.minute_ts)


def _minute(member: bytes) -> Minute:
    product, expiry, minute_ts = member.decode().split("|")
    return Minute(product, expiry, int(minute_ts))
