"""How many requests a caller may make: counted in this process, in slices that replicas draw from Redis.

A window is a minute; each caller's begins at another second, so that limits do not all end together. A replica draws
a twentieth of the limit at a time, so Redis is asked once per slice and not once per request.

Exact: all replicas together never admit more than the limit in a window, and one replica alone admits exactly that.
Approximate: a replica may hold back what another would need, up to one slice each, so a caller that is spread over n
replicas may be refused (n - 1) slices early. While Redis is away every replica counts for itself, and what it admitted
then is not added to Redis later. Twice the limit can pass in the two half minutes around the end of a window.
"""

import hashlib
import threading
import zlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

import redis

from api_gateway import metrics
from api_gateway.memory import Memory
from aro.adapters.clock import Clock
from aro.contracts.names import quota_key
from aro.runtime.addresses import network_of

WINDOW_SECONDS: Final = 60
SLICES: Final = 20
CAPACITY: Final = 50_000
"""Callers remembered per limit; whoever was forgotten draws a new slice."""
RETRY_SECONDS: Final = 1.0
"""How long Redis is not asked again after it failed."""
SCOPE_USER: Final = "user"
SCOPE_ADDRESS: Final = "address"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller: `remaining` requests until the window ends in `reset` seconds."""

    admitted: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> list[tuple[str, str]]:
        return [
            ("RateLimit-Limit", str(self.limit)),
            ("RateLimit-Remaining", str(self.remaining)),
            ("RateLimit-Reset", str(self.reset)),
        ]


class Ledger(Protocol):
    def draw(self, scope: str, caller: str, window: int, amount: int) -> int | None:
        """Take `amount` requests for everybody; how many were taken before, or None if that cannot be known."""


class RedisLedger:
    """`client` must give up within a fraction of a second: requests wait for it."""

    def __init__(self, client: redis.Redis, clock: Clock) -> None:
        self._redis = client
        self._clock = clock
        self._away_until = float("-inf")

    def draw(self, scope: str, caller: str, window: int, amount: int) -> int | None:
        if self._clock.monotonic() < self._away_until:
            return None
        key = quota_key(scope, hashlib.blake2b(caller.encode(), digest_size=12).hexdigest(), window)
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.incrby(key, amount)
            pipe.expire(key, 2 * WINDOW_SECONDS)
            return int(pipe.execute()[0]) - amount
        except redis.RedisError:
            self._away_until = self._clock.monotonic() + RETRY_SECONDS
            return None


@dataclass(slots=True)
class _Cell:
    """One caller. `left` is drawn and not yet spent; `drawn` is by all replicas."""

    lock: threading.Lock
    phase: int
    window: int = -1
    left: int = 0
    drawn: int = 0


class Quota:
    """One limit: `limit` requests a minute for each caller. Safe for use by many threads."""

    def __init__(self, scope: str, limit: int, ledger: Ledger, clock: Clock, *, capacity: int = CAPACITY) -> None:
        self._scope = scope
        self._limit = limit
        self._slice = max(1, limit // SLICES)
        self._ledger = ledger
        self._clock = clock
        self._cells: Memory[str, _Cell] = Memory(capacity)

    def take(self, caller: str) -> Allowance:
        """Spend one request of `caller`, or none if there is none left."""
        allowance = self._take(caller, may_draw=True)
        assert allowance is not None
        return allowance

    def take_at_hand(self, caller: str) -> Allowance | None:
        """As `take`, but None, and nothing spent, if that would have to wait for Redis or for another thread."""
        return self._take(caller, may_draw=False)

    def _take(self, caller: str, *, may_draw: bool) -> Allowance | None:
        cell = self._cells.get(caller)
        if cell is None:
            # Other replicas find the same phase.
            cell = _Cell(threading.Lock(), zlib.crc32(caller.encode()) % WINDOW_SECONDS)
            self._cells.put(caller, cell)
        window, second = divmod(self._clock.now_ms() // 1000 + cell.phase, WINDOW_SECONDS)
        if not cell.lock.acquire(blocking=may_draw):
            return None
        try:
            if cell.window != window:
                cell.window, cell.left, cell.drawn = window, 0, 0
            if not cell.left and cell.drawn < self._limit:
                if not may_draw:
                    return None
                self._draw(cell, caller)
            admitted = cell.left > 0
            cell.left -= admitted
            remaining = cell.left + max(0, self._limit - cell.drawn)
        finally:
            cell.lock.release()
        if not admitted:
            metrics.rate_limited.labels(self._scope).inc()
        return Allowance(admitted, self._limit, remaining, WINDOW_SECONDS - second)

    def _draw(self, cell: _Cell, caller: str) -> None:
        before = self._ledger.draw(self._scope, caller, cell.window, self._slice)
        metrics.quota_draws.labels("memory" if before is None else "redis").inc()
        if before is None:
            before = cell.drawn
        cell.left = max(0, min(self._slice, self._limit - before))
        cell.drawn = before + self._slice


class Limits:
    """The limits of every request, and where in its WSGI environ their state is kept."""

    ADDRESS: Final = "aro.address"
    ALLOWANCE: Final = "aro.allowance"

    def __init__(self, users: Quota, addresses: Quota) -> None:
        self._users = users
        self._addresses = addresses

    def admit_address(self, environ: dict[str, Any]) -> bool:
        """Spend one request of the address that `environ` names; the answer's headers will tell about it."""
        allowance = self._addresses.take(network_of(environ[self.ADDRESS]))
        environ[self.ALLOWANCE] = allowance
        return allowance.admitted

    def admit_at_hand(self, environ: dict[str, Any], subject: str) -> bool:
        """Both of the above, if neither has to wait or refuses. Otherwise False, and the request must go the long way:
        it may have been counted for its address already, which is then one request too many."""
        allowance = self._addresses.take_at_hand(network_of(environ[self.ADDRESS]))
        if allowance is None or not allowance.admitted:
            return False
        allowance = self._users.take_at_hand(subject)
        if allowance is None or not allowance.admitted:
            return False
        environ[self.ALLOWANCE] = allowance
        return True

    def admit(self, environ: dict[str, Any], subject: str) -> bool:
        """Spend one request of the account `subject`, once for this `environ`; its headers tell about that instead."""
        if "aro.subject" not in environ:
            environ["aro.subject"] = subject
            environ[self.ALLOWANCE] = self._users.take(subject)
        admitted: bool = environ[self.ALLOWANCE].admitted
        return admitted
