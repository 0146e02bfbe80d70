"""One way to connect to Redis: bounded waits, bytes in and out, and errors that reach the caller."""

from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_SECONDS: Final = 1.0
HEALTH_CHECK_SECONDS: Final = 10

RedisError = redis.RedisError
ConnectionLost = (redis.ConnectionError, redis.TimeoutError)
"""What a dead, hung or restarting server raises."""


def connect(url: str, *, timeout: float = 5.0) -> "redis.Redis":
    """A client whose every call answers or raises within about `timeout` seconds.

    One immediate retry covers the connection that a restarted server left behind; waiting for a server
    that is away is the caller's decision, so there is no back-off in here.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(CONNECT_SECONDS, timeout),
        socket_keepalive=True,
        health_check_interval=HEALTH_CHECK_SECONDS,
        retry=Retry(NoBackoff(), 1),
        decode_responses=False,
    )
