"""``source_seq``: rises per key and never goes back, whatever the wall clock does."""

from collections.abc import Mapping
from typing import Any

import redis

from aro.contracts.names import KEY_LAST_SOURCE_SEQ


class SourceSequences:
    """The next number is the time in milliseconds, or one more than the last where that is not newer."""

    def __init__(self, last: Mapping[str, int]) -> None:
        self._last = dict(last)

    def next(self, key: str, now_ms: int) -> int:
        """`key` is ``NIFTY`` for ticks and ``NIFTY|2026-12-29`` for chains."""
        self._last[key] = max(self._last.get(key, 0) + 1, now_ms)
        return self._last[key]


class SequenceStore:
    """The last numbers used, in Redis, so that a restart on a machine with an older clock goes on from them."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._known: set[str] = set()

    def load(self) -> dict[str, int]:
        answer: Any = self._redis.hgetall(KEY_LAST_SOURCE_SEQ)
        stored = {key.decode(): int(value) for key, value in answer.items()}
        self._known.update(stored)
        return stored

    def save(self, last: Mapping[str, int]) -> bool:
        """Store numbers before they are used. True if Redis has forgotten some that were stored before."""
        fields: dict[Any, Any] = dict(last)
        added = int(self._redis.hset(KEY_LAST_SOURCE_SEQ, mapping=fields))
        expected = len(last.keys() - self._known)
        self._known.update(last)
        return added > expected
