"""What auth does by the clock: tell again what ended, and forget what ended long ago."""

import threading
from collections.abc import Callable
from typing import Final

from aro.adapters.mongo import MongoError
from aro.runtime.logs import get_logger

log = get_logger(__name__)

REPEAT_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 60.0


class Periodic:
    """`work` every so many seconds in a thread of its own; with MongoDB away it is tried again at the next turn."""

    def __init__(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._work()
            except MongoError as error:
                log.warning("work by the clock has to wait", work=self._name, **{"error.type": type(error).__name__})
            except Exception as error:  # the thread must outlive a defect in one turn
                log.error("work by the clock failed", work=self._name, exc_info=error)
