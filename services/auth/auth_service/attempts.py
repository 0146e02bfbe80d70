"""Wrong passwords per account: counted before the password is verified, and given back if it was right.

Counted afterwards, as many guesses as there are threads would be free. Counters live in Redis, and in this process's
memory while Redis is away.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from limits.storage import MemoryStorage, RedisStorage
from redis import RedisError

from aro.adapters import redis_client
from aro.adapters.clock import Clock
from aro.contracts.problems import BadCredentials, InvalidRequest, RateLimited
from aro.runtime.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

WINDOW_SECONDS: Final = 300
"""From the first wrong password on."""
REDIS_SECONDS: Final = 0.5
REST_SECONDS: Final = 5.0
"""How long a Redis that did not answer is not asked again: no login waits for it twice."""


class Attempts:
    def __init__(self, limit: int, redis_url: str | None, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._memory = MemoryStorage()
        self._rest_until = 0.0
        self._redis = (
            RedisStorage(
                redis_url,
                connection_pool=redis_client.connect(redis_url, timeout=REDIS_SECONDS).connection_pool,
                key_prefix="auth",
            )
            if redis_url
            else None
        )

    @contextmanager
    def counted(self, email: str) -> Iterator[None]:
        """Try a password of the account `email`, known or not. Only `BadCredentials` and `InvalidRequest`, raised
        inside, are counted against it.

        Raises `RateLimited` if there were too many wrong ones.
        """
        # Hashed, because keys end up in logs and in Redis.
        key = f"account/{hashlib.sha256(email.encode()).hexdigest()}"
        storage = self._take(key)
        try:
            yield
        except (BadCredentials, InvalidRequest):
            raise
        except BaseException:
            self._give_back(storage, key)
            raise
        self._give_back(storage, key)

    def _take(self, key: str) -> MemoryStorage | RedisStorage:
        """Where it was counted."""

        def count(storage: MemoryStorage | RedisStorage) -> tuple[MemoryStorage | RedisStorage, int, float]:
            used = storage.incr(key, WINDOW_SECONDS, amount=1)
            return storage, used, storage.get_expiry(key) if used > self._limit else 0.0

        storage, used, until = self._asked(count)
        if used > self._limit:
            wait = max(1, round(until - time.time()))
            raise RateLimited(f"too many wrong passwords; try again in {wait} s", retry_after=wait)
        return storage

    def _give_back(self, storage: MemoryStorage | RedisStorage, key: str) -> None:
        try:
            storage.incr(key, WINDOW_SECONDS, amount=-1)
        except RedisError:
            # One try of this account stays counted for the rest of its window.
            self._rest_until = self._clock.monotonic() + REST_SECONDS

    def _asked(self, ask: Callable[[MemoryStorage | RedisStorage], T]) -> T:
        if self._redis is not None and self._clock.monotonic() >= self._rest_until:
            try:
                return ask(self._redis)
            except RedisError as error:
                self._rest_until = self._clock.monotonic() + REST_SECONDS
                log.warning("redis does not answer; wrong passwords are counted in memory", error=type(error).__name__)
        return ask(self._memory)
