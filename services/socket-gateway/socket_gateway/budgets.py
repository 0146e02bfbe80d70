"""How often something may happen: token buckets, one alone or one per address. Pure."""

from collections import OrderedDict
from typing import Final

CAPACITY: Final = 16_384
"""Addresses remembered. Who was forgotten has a full bucket, so the gateway's own limit has to hold for many."""


class Budget:
    """`per_minute` at once or spread, refilled continuously; or at most `burst` at once."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_minute: float, now: float, burst: float | None = None) -> None:
        """`now` is monotonic seconds here and below."""
        self._per_second = per_minute / 60
        self._burst = self._left = float(per_minute if burst is None else burst)
        self._at = now

    def take(self, now: float, amount: float = 1) -> bool:
        """Spend `amount` if there is as much; otherwise nothing is spent."""
        if self.wait(now, amount):
            return False
        self._left -= amount
        return True

    def wait(self, now: float, amount: float = 1) -> float:
        """Seconds until `amount` is there, if nothing is spent meanwhile."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, (amount - self._left) / self._per_second)


class Budgets:
    """A `Budget` per key, for the `CAPACITY` keys that were seen last."""

    def __init__(self, per_minute: float, capacity: int = CAPACITY) -> None:
        self._per_minute = per_minute
        self._capacity = capacity
        self._by_key: OrderedDict[str, Budget] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, key: str, now: float) -> Budget:
        budget = self._by_key.get(key)
        if budget is None:
            budget = self._by_key[key] = Budget(self._per_minute, now)
            if len(self._by_key) > self._capacity:
                self._by_key.popitem(last=False)
        self._by_key.move_to_end(key)
        return budget
