"""Which minutes have bars owed to them: marked by whoever stored something of them, taken back when they have them.

So whatever is late, redelivered or back-filled gets its bars like everything else, and no one has to search for it.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import redis

from aro.adapters.turn_lock import turn_lock
from aro.contracts.names import KEY_BARS_DUE, KEY_BARS_TURN, bar_id

TURN_MS: Final = 12_000
"""Longer than a task may run."""

_REMOVE_UNLESS_MARKED_AGAIN: Final = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1])) == tonumber(ARGV[2]) then
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
    minute: Minute
    due_ms: int


class BarMarks:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._remove = client.register_script(_REMOVE_UNLESS_MARKED_AGAIN)

    def mark(self, due: Iterable[Mark], *, only_new: bool = False) -> None:
        """Call it after what it is about was stored: a mark that is due is followed at any moment.

        A minute that is marked already is due anew, unless `only_new`.
        """
        scores = {bar_id(item.minute.product, item.minute.expiry, item.minute.minute_ts): item.due_ms for item in due}
        if scores:
            self._redis.zadd(KEY_BARS_DUE, scores, nx=only_new)

    def due(self, now_ms: int, *, limit: int) -> list[Mark]:
        """What may be rolled up at `now_ms`, longest due first."""
        found: Any = self._redis.zrange(
            KEY_BARS_DUE, "-inf", str(now_ms), byscore=True, offset=0, num=limit, withscores=True
        )
        return [Mark(_minute(member), int(score)) for member, score in found]

    def done(self, marks: Iterable[Mark]) -> None:
        """Forget these marks, except where something was stored and marked since they were read."""
        pipe = self._redis.pipeline(transaction=False)
        for mark in marks:
            member = bar_id(mark.minute.product, mark.minute.expiry, mark.minute.minute_ts)
            self._remove(keys=[KEY_BARS_DUE], args=[member, mark.due_ms], client=pipe)
        pipe.execute()

    def count(self) -> int:
        return int(self._redis.zcard(KEY_BARS_DUE))

    def turn(self) -> AbstractContextManager[bool]:
        """True inside if it is ours: of two that read and wrote the same minute, the slower could write the less."""
        return turn_lock(self._redis, KEY_BARS_TURN, longest_ms=TURN_MS)


def _minute(member: bytes) -> Minute:
    product, expiry, minute_ts = member.decode().split("|")
    return Minute(product, expiry, int(minute_ts))
