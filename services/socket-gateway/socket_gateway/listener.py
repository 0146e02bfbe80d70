"""One subscription to the pub/sub channel that announces every publication.

redis-py connects and authenticates; what comes then is read here, many announcements at a time. Its own
`PubSub.get_message` takes 60 µs for each of them, a fifth of all that a small room costs, and waits in between.
"""

from typing import Any, Final

import hiredis
import redis

from aro.adapters import redis_client
from aro.contracts.names import PUBSUB_LIVE

CONFIRM_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 2.0
"""For connecting and for each answer of Redis."""
READ_BYTES: Final = 256 << 10


class Listener:
    """A connection that never reconnects by itself: what was announced meanwhile would be lost without a sign."""

    def __init__(self, url: str) -> None:
        """Subscribe. Raises `RedisError` if that is not confirmed in time."""
        self._client = redis_client.connect(url, timeout=TIMEOUT_SECONDS)
        self._connection: Any = self._client.connection_pool.get_connection()
        self._socket: Any = self._connection._sock
        self._parser = hiredis.Reader(protocolError=redis.ConnectionError, replyError=redis.ResponseError)
        self._is_alive = True
        self.is_abreast = True
        """Whether all that was announced before the last `ping` has been taken."""
        try:
            self._send("SUBSCRIBE", PUBSUB_LIVE)
            confirmation = self._answer(CONFIRM_SECONDS)
            if not isinstance(confirmation, list) or confirmation[0] != b"subscribe":
                raise redis.TimeoutError("the subscription was not confirmed")
        except redis.RedisError:
            self.close()
            raise

    def next(self, timeout: float) -> bytes | None:
        """The next announcement; None if there is none within `timeout` seconds, or something else came.

        With a timeout of 0 no other greenlet runs meanwhile. Raises `RedisError`.
        """
        answer = self._answer(timeout)
        if answer is None:
            return None
        self._is_alive = True
        # What answers a ping of a subscriber depends on the version of Redis' protocol.
        kind = answer[0] if isinstance(answer, list) else answer
        if kind in (b"pong", b"PONG"):
            self.is_abreast = True
        return answer[2] if kind == b"message" else None

    def subscribe(self, *channels: str) -> None:
        """To these pub/sub channels too. Raises `RedisError`."""
        self._send("SUBSCRIBE", *channels)

    def unsubscribe(self, *channels: str) -> None:
        """Raises `RedisError`."""
        self._send("UNSUBSCRIBE", *channels)

    def ping(self) -> None:
        """Ask for a sign of life, which comes behind all that was announced before.

        Raises `RedisError` if there was none since the last time: the connection is half open.
        """
        if not self._is_alive:
            raise redis.TimeoutError("no sign of life from Redis")
        self._is_alive = self.is_abreast = False
        self._send("PING")

    def close(self) -> None:
        self._connection.disconnect()
        self._client.close()

    def _send(self, *command: str) -> None:
        # redis-py's own check of the connection's health would read announcements and throw them away.
        self._connection.send_command(*command, check_health=False)

    def _answer(self, timeout: float) -> Any:
        answer = self._parser.gets()
        if answer is False:
            self._read(timeout)
            answer = self._parser.gets()
        return None if answer is False else answer

    def _read(self, timeout: float) -> None:
        try:
            self._socket.settimeout(timeout)
            data = self._socket.recv(READ_BYTES)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            raise redis.ConnectionError(str(error)) from None
        if not data:
            raise redis.ConnectionError("Redis closed the connection")
        self._parser.feed(data)
