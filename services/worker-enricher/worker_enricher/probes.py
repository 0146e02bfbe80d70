"""What the health of a role is made of."""

import time
from collections.abc import Callable
from typing import Final

from aro.adapters import redis_client
from worker_enricher.settings import WorkerSettings

PROBE_SECONDS: Final = 1.0
HUNG_SECONDS: Final = 10.0
"""A loop that has not turned for this long is hung; the longest wait inside one is a 5 s socket timeout."""


class Heartbeat:
    """Turned by a loop, read by liveness."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def turn(self) -> None:
        self._at = time.monotonic()

    def check(self) -> None:
        if time.monotonic() - self._at > HUNG_SECONDS:
            raise TimeoutError("the main loop does not turn")


def redis_check(settings: WorkerSettings) -> Callable[[], None]:
    client = redis_client.connect(settings.redis_url, timeout=PROBE_SECONDS)

    def check() -> None:
        client.ping()

    return check
