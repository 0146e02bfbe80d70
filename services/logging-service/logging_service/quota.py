"""How much outside programs may post: per account and minute, per account and day, and all of them together."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from aro.adapters.clock import Clock
from aro.contracts.problems import RateLimited

MINUTE: Final = 60
DAY: Final = 86_400
MAX_ACCOUNTS: Final = 10_000
SHARE_OF_DISK: Final = 0.25
"""What posted lines may take of `ARO_LOG_MAX_BYTES`, so that nobody pushes the platform's own lines out."""


@dataclass(slots=True)
class _Bucket:
    """Fills up to `capacity` evenly over `seconds`."""

    capacity: float
    seconds: float
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.capacity, self.level + (now - self.at) * self.capacity / self.seconds)
        self.at = now

    def wait(self, amount: float) -> float:
        """Seconds until `amount` is there."""
        return max(0.0, (min(amount, self.capacity) - self.level) * self.seconds / self.capacity)


class IngestQuota:
    """Counted in memory: a restart forgives, and the cap on the disk holds nevertheless."""

    def __init__(
        self, clock: Clock, *, lines_per_minute: int, bytes_per_day: int, max_bytes: int, retention_days: float
    ) -> None:
        self._clock = clock
        self._lines_per_minute = lines_per_minute
        self._bytes_per_day = bytes_per_day
        everyone = max_bytes * SHARE_OF_DISK / max(1.0, retention_days)
        self._everyone = _Bucket(everyone, DAY, everyone, clock.monotonic())
        self._accounts: OrderedDict[str, tuple[_Bucket, _Bucket]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, account: str, *, lines: int, size: int) -> None:
        """Raises `RateLimited` with the seconds to wait, and then counts nothing."""
        with self._lock:
            now = self._clock.monotonic()
            by_lines, by_bytes = self._buckets(account, now)
            costs = ((by_lines, lines), (by_bytes, size), (self._everyone, size))
            for bucket, _ in costs:
                bucket.fill(now)
            wait = max(bucket.wait(amount) for bucket, amount in costs)
            if wait > 0:
                raise RateLimited("the quota for log lines is used up", retry_after=int(wait) + 1)
            for bucket, amount in costs:
                bucket.level -= amount

    def _buckets(self, account: str, now: float) -> tuple[_Bucket, _Bucket]:
        held = self._accounts.pop(account, None)
        if held is None:
            lines, size = float(self._lines_per_minute), float(self._bytes_per_day)
            held = (_Bucket(lines, MINUTE, lines, now), _Bucket(size, DAY, size, now))
        self._accounts[account] = held
        while len(self._accounts) > MAX_ACCOUNTS:
            self._accounts.popitem(last=False)  # the one that was quiet longest, so the fullest
        return held
