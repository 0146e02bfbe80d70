"""Ends a process whose event loop hangs, so that whoever started it starts it again.

A probe sees a hung loop too, as it gets no answer, but not everybody who starts processes asks probes and acts on them:
Docker does not. The timer is faulthandler's, a thread in C, which needs neither the loop nor the interpreter's lock.
"""

import faulthandler
from typing import Final

FEEDS: Final = 10
"""Per time to live; each costs a thread, so not one per turn."""


class Watchdog:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._fed_at: float | None = None

    def feed(self, now: float) -> None:
        """The loop turns. Without this for `seconds`, all stacks go to stderr and the process ends with status 1.

        `now` is monotonic seconds.
        """
        if self._fed_at is None or now - self._fed_at >= self._seconds / FEEDS:
            self._fed_at = now
            faulthandler.dump_traceback_later(self._seconds, exit=True)

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()
