"""Work that must succeed once before a process is ready, retried until the server it needs is there."""

import threading
from collections.abc import Callable
from typing import Final

from aro.runtime.logs import get_logger

log = get_logger(__name__)

RETRY_SECONDS: Final = 1.0


class NotPrepared(Exception):
    """The work has not succeeded yet."""


class Preparation:
    """`work` must be safe to repeat; an error outside `retry_on` is a defect and leaves the process unready."""

    def __init__(self, work: Callable[[], None], *, retry_on: type[Exception]) -> None:
        self._work = work
        self._retry_on = retry_on
        self._done = threading.Event()

    def start(self) -> None:
        """Work in a daemon thread. Call it in the process that serves, not before a fork."""
        threading.Thread(target=self._run, name="preparation", daemon=True).start()

    def check(self) -> None:
        """A readiness check. Raises `NotPrepared` until the work is done."""
        if not self._done.is_set():
            raise NotPrepared

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                self._work()
                self._done.set()
            except self._retry_on as error:
                log.warning("preparation failed; it will be tried again", **{"error.type": type(error).__name__})
                self._done.wait(RETRY_SECONDS)
        log.info("prepared")
