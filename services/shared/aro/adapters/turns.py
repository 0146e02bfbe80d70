"""How a worker tells the consumer that sent a batch that it is done with it."""

from typing import Any, Final

import redis

from aro.contracts.names import turns_key

KEPT_SECONDS: Final = 60
"""Of a consumer that is gone nobody reads what its tasks say."""
AT_ONCE: Final = 100


class Turns:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def done(self, consumer: str, number: str) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.rpush(turns_key(consumer), number)
        pipe.expire(turns_key(consumer), KEPT_SECONDS)
        pipe.execute()

    def finished(self, consumer: str) -> list[int]:
        """Numbers of batches that are done since the last call, `AT_ONCE` at most."""
        found: Any = self._redis.lpop(turns_key(consumer), AT_ONCE)
        return [int(number) for number in found or ()]
