"""A bulkhead: what waits for one upstream never takes more than its share of the threads."""

import threading


class Bulkhead:
    """`slots` callers at once, and at most `queue` more that wait up to `wait_seconds` for a slot.

    The rest is refused at once, so the threads that one upstream can hold are `slots` + `queue`, whatever happens.
    """

    def __init__(self, slots: int, *, queue: int = 0, wait_seconds: float = 0.0) -> None:
        self._slots = threading.Semaphore(slots)
        self._places = threading.Semaphore(queue)
        self._wait = wait_seconds

    def enter(self) -> bool:
        """Whether the caller has a slot now, which it must `leave`."""
        if self._slots.acquire(blocking=False):
            return True
        if not self._places.acquire(blocking=False):
            return False
        try:
            return self._slots.acquire(timeout=self._wait)
        finally:
            self._places.release()

    def leave(self) -> None:
        self._slots.release()
