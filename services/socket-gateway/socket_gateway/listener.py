"""One subscription to the pub/sub channel that announces every publication."""

from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aro.adapters import redis_client
from aro.contracts.names import PUBSUB_LIVE

CONFIRM_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 2.0
"""For connecting and for each answer of Redis."""


class Listener:
    """A connection that never reconnects by itself: what was announced meanwhile would be lost without a sign."""

    def __init__(self, url: str) -> None:
        """Subscribe. Raises `RedisError` if that is not confirmed in time."""
        client = redis_client.connect(url, timeout=TIMEOUT_SECONDS)
        client.set_retry(Retry(NoBackoff(), 0))
        self._client = client
        self._pubsub = client.pubsub()  # type: ignore[no-untyped-call]
        self._is_alive = True
        self.is_abreast = True
        """Whether all that was announced before the last `ping` has been taken."""
        try:
            self._pubsub.subscribe(PUBSUB_LIVE)
            confirmation = self._pubsub.get_message(timeout=CONFIRM_SECONDS)
            if confirmation is None or confirmation["type"] != "subscribe":
                raise redis.TimeoutError("the subscription was not confirmed")
        except redis.RedisError:
            self.close()
            raise

    def next(self, timeout: float) -> bytes | None:
        """The next announcement; None if there is none within `timeout` seconds. Raises `RedisError`."""
        message = self._pubsub.get_message(timeout=timeout)
        if message is None:
            return None
        self._is_alive = True
        if message["type"] == "pong":
            self.is_abreast = True
        data = message["data"]
        return data if message["type"] == "message" and isinstance(data, bytes) else None

    def ping(self) -> None:
        """Ask for a sign of life, which comes behind all that was announced before.

        Raises `RedisError` if there was none since the last time: the connection is half open.
        """
        if not self._is_alive:
            raise redis.TimeoutError("no sign of life from Redis")
        self._is_alive = self.is_abreast = False
        self._pubsub.ping()

    def close(self) -> None:
        self._pubsub.close()
        self._client.close()
