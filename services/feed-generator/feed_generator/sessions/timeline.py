"""Where a session is in its own time. Pure: moments of a monotonic clock come from the caller."""

from dataclasses import dataclass


@dataclass(slots=True)
class Timeline:
    """`position_ts` (UTC epoch milliseconds of the session's own time) was reached at `at` (monotonic seconds)."""

    position_ts: float
    at: float
    speed: float
    is_running: bool = True

    def position(self, now: float) -> float:
        moved = (now - self.at) * 1000 * self.speed if self.is_running else 0.0
        return self.position_ts + moved

    def change(self, now: float, *, speed: float, is_running: bool) -> None:
        """From now on at another speed, or not at all."""
        self.move(self.position(now), now)
        self.speed, self.is_running = speed, is_running

    def move(self, position_ts: float, now: float) -> None:
        """Be at `position_ts` now: sought, or held because what is due cannot be sent yet."""
        self.position_ts, self.at = position_ts, now
