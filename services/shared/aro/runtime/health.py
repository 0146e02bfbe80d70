"""Liveness and readiness: cheap, cached, and honest about which dependency is away."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aro.contracts.problems import ServiceUnavailable

Check = Callable[[], None]
"""Returns when the dependency works, raises when it does not; bounded to about a second by its own timeout."""

CACHE_SECONDS = 1.0


@dataclass
class Health:
    """`ready` checks are what this service cannot work without; `alive` must never ask a dependency."""

    ready: Mapping[str, Check] = field(default_factory=dict)
    alive: Mapping[str, Check] = field(default_factory=dict)
    draining: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cached: tuple[float, bool, dict[str, str]] | None = None

    def drain(self) -> None:
        """From now on say that the process is about to go."""
        self.draining = True

    def liveness(self) -> tuple[bool, dict[str, str]]:
        return _run(self.alive)

    def readiness(self) -> tuple[bool, dict[str, str]]:
        """(is ready, check name → ``ok`` or what is wrong); asked by one thread at most once a second.

        While a slow check runs, everybody else gets the answer before it.
        """
        if self.draining:
            return False, {"draining": "the process is shutting down"}
        if self._is_stale() and self._lock.acquire(blocking=self._cached is None):
            try:
                if self._is_stale():
                    answer = _run(self.ready)
                    self._cached = (time.monotonic(), *answer)
            finally:
                self._lock.release()
        assert self._cached is not None
        return self._cached[1], self._cached[2]

    def _is_stale(self) -> bool:
        return self._cached is None or time.monotonic() - self._cached[0] > CACHE_SECONDS

    def require_ready(self) -> None:
        """Raise `ServiceUnavailable` at once instead of letting every request wait for a server that is away."""
        if not self.readiness()[0]:
            raise ServiceUnavailable("a server that this answer needs is away; try again in a moment")


def _run(checks: Mapping[str, Check]) -> tuple[bool, dict[str, str]]:
    results: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
            results[name] = "ok"
        except Exception as error:  # noqa: BLE001 - whatever a driver raises, the answer is "not ready"
            results[name] = type(error).__name__
    return all(result == "ok" for result in results.values()), results
