"""What one process at a time may do, of all that would."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis


@contextmanager
def turn_lock(client: redis.Redis, key: str, *, longest_ms: int) -> Iterator[bool]:
    """True inside if it is ours. A turn that was not given back ends after `longest_ms`, so do not take longer."""
    ours = bool(client.set(key, "1", nx=True, px=longest_ms))
    try:
        yield ours
    finally:
        if ours:
            client.delete(key)
