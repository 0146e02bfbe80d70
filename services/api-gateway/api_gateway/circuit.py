"""A circuit breaker: an upstream that fails again and again is left alone for a while, then tried with one call.

closed ──`failures` in a row──▶ open ──after `rest_seconds`──▶ half open (one call may pass)
   ▲                             ▲                                    │
   └─────────────it worked───────│────────────────────────────────────┤
                                 └───────────────it failed────────────┘
"""

import threading
from enum import IntEnum
from typing import Final

from aro.adapters.clock import Clock

FAILURES: Final = 5
REST_SECONDS: Final = 1.5


class State(IntEnum):
    """The numbers are those of the metric ``circuit_state``."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Circuit:
    """Safe for use by many threads.

    Each call that `admit` lets through gets a ticket and must hand it back to `report`. Tickets of an earlier state
    count for nothing: a call that began before the circuit opened says nothing about the upstream of now.
    """

    def __init__(self, clock: Clock, *, failures: int = FAILURES, rest_seconds: float = REST_SECONDS) -> None:
        self._clock = clock
        self._limit = failures
        self._rest = rest_seconds
        self._lock = threading.Lock()
        self._state = State.CLOSED
        self._failures = 0
        self._opened_at = 0.0
        self._generation = 0

    @property
    def state(self) -> State:
        return self._state

    def admit(self) -> int | None:
        """A ticket, or None if the upstream is to be left alone now."""
        with self._lock:
            if self._state is State.OPEN and self._rested():
                self._enter(State.HALF_OPEN)
                return self._generation
            return self._generation if self._state is State.CLOSED else None

    def report(self, ticket: int, *, worked: bool) -> None:
        with self._lock:
            if ticket != self._generation:
                return
            if worked:
                self._failures = 0
                if self._state is State.HALF_OPEN:
                    self._enter(State.CLOSED)
                return
            self._failures += 1
            if self._state is State.HALF_OPEN or self._failures >= self._limit:
                self._enter(State.OPEN)

    def _rested(self) -> bool:
        return self._clock.monotonic() - self._opened_at >= self._rest

    def _enter(self, state: State) -> None:
        self._state = state
        self._generation += 1
        self._failures = 0
        if state is State.OPEN:
            self._opened_at = self._clock.monotonic()
