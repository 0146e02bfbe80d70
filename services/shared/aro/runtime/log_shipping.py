"""Log lines on their way to the logging service: a bounded queue that nobody waits for, emptied by one thread.

What is logged is never kept waiting: not by a Redis that is away, hung, slow or full, and not by the thread itself.
The queue takes no lock, because a fork or a signal may come at any moment; when it is full its oldest lines go, and
are counted. The thread starts with the first line of a process, so each child of a fork has its own; under eventlet's
patch it is a greenlet, and its waits are the event loop's.
"""

import atexit
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aro.adapters import redis_client
from aro.adapters.log_stream import LogStream
from aro.adapters.redis_client import RedisError
from aro.runtime.logs import get_logger
from aro.runtime.metrics import counter

log = get_logger(__name__)

QUEUE_BYTES: Final = 4 * 1024 * 1024
"""About 8,000 lines: five minutes of a busy service, a second of a log storm."""
BATCH_LINES: Final = 500
BATCH_BYTES: Final = 256 * 1024
POLL_SECONDS: Final = 0.2
"""The thread looks by itself: to wake it would need a lock."""
BACK_OFF_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
"""Pauses after failures in a row, before jitter; the last one repeats."""
REDIS_SECONDS: Final = 1.0
FLUSH_SECONDS: Final = 1.0
FORK_SECONDS: Final = 15.0
"""A fork waits so long for the thread to come to rest: longer than a resolver that gets no answer. A child that is
forked while the thread is in `getaddrinfo` inherits a lock of the C library that nobody will ever release."""

shipped = counter("log_shipped_total", "Log lines that Redis has taken")
dropped = counter("log_dropped_total", "Log lines that stand on stdout only: the queue was full, or the process ended")


class Sink(Protocol):
    def append(self, lines: Sequence[bytes]) -> None: ...


def shipper_to(url: str) -> "LogShipper":
    """A shipper into the Redis at `url`, flushed when the process ends. Opens no connection yet."""
    # Made again in each child: a connection must not be older than its process.
    shipper = LogShipper(lambda: LogStream(redis_client.connect(url, timeout=REDIS_SECONDS)))
    atexit.register(shipper.close)
    _SHIPPERS[:] = [shipper]
    return shipper


def flush_logs() -> None:
    """Ship what is left, within about a second. For processes that end without their exit handlers."""
    for shipper in _SHIPPERS:
        shipper.close()


_SHIPPERS: Final[list["LogShipper"]] = []


class LogShipper:
    def __init__(self, open_sink: Callable[[], Sink]) -> None:
        self._open_sink = open_sink
        # Held by the thread while it may hold any lock that is not ours: of the C library, of Redis, of metrics.
        self._gate = threading.Lock()
        self._holds_gate = False
        self._reset()
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork_in_parent, after_in_child=self._after_fork
        )

    def _reset(self) -> None:
        self._lines: deque[bytes] = deque()
        # Bytes that went in, that the thread took out, and that were dropped: each is written in one place only,
        # so their difference needs no lock.
        self._bytes_in = self._bytes_out = self._bytes_dropped = 0
        self._dropped = self._counted = 0
        self._thread: threading.Thread | None = None
        self._thread_id: int | None = None
        self._is_closing = False

    @property
    def waiting_bytes(self) -> int:
        return self._bytes_in - self._bytes_out - self._bytes_dropped

    def offer(self, line: str) -> None:
        """Queue a line. Never waits, never raises; called under the lock of the logging handler."""
        if threading.get_ident() == self._thread_id:
            return  # what is said about shipping is not shipped: it would say it again
        if self._is_closing:
            self._dropped += 1
            return
        data = line.encode("utf-8", "replace")
        self._lines.append(data)
        self._bytes_in += len(data)
        while self.waiting_bytes > QUEUE_BYTES and self._lines:
            self._drop_oldest()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Ship what is left, for at most `seconds`. Lines that come later stay on stdout."""
        self._is_closing = True
        thread = self._thread
        if thread is not None and threading.get_ident() != self._thread_id:
            thread.join(seconds)

    def _drop_oldest(self) -> None:
        try:
            oldest = self._lines.popleft()
        except IndexError:  # the thread was faster
            return
        self._bytes_dropped += len(oldest)
        self._dropped += 1

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="log-shipping", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending: the queue stays bounded
            return
        self._thread = thread

    # --- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        self._thread_id = threading.get_ident()
        sink = self._open_sink()
        failures = 0
        batch: list[bytes] = []
        while True:
            is_closing = self._is_closing  # read first: what was offered before it was set is still shipped
            batch = batch or self._take()
            if batch:
                with self._gate:
                    failures = self._ship(sink, batch, failures)
                if failures == 0:
                    batch = []
                    continue
            with self._gate:
                self._count(0)
            if is_closing:
                self._give_up(batch)
                return
            self._pause(failures)

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while len(batch) < BATCH_LINES and size < BATCH_BYTES:
            try:
                line = self._lines.popleft()
            except IndexError:
                break
            batch.append(line)
            size += len(line)
        self._bytes_out += size
        return batch

    def _ship(self, sink: Sink, batch: Sequence[bytes], failures: int) -> int:
        """Failures in a row, this attempt included: 0 if Redis has the batch.

        What Redis took without our learning of it is sent again, and stored once: each line has its id.
        """
        try:
            sink.append(batch)
        except (RedisError, OSError) as error:
            if failures == 0:
                log.warning("log shipping is interrupted", **{"error.type": type(error).__name__})
            return failures + 1
        except Exception as error:  # a defect must not end shipping for good
            if failures == 0:
                log.error("log shipping failed", exc_info=error)
            return failures + 1
        self._count(len(batch))
        if failures:
            log.info("log shipping goes on", dropped=self._dropped)
        return 0

    def _pause(self, failures: int) -> None:
        seconds = POLL_SECONDS
        if failures:
            steps = BACK_OFF_SECONDS
            seconds = steps[min(failures, len(steps)) - 1] * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        until = time.monotonic() + seconds
        while not self._is_closing and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))

    def _give_up(self, batch: Sequence[bytes]) -> None:
        self._dropped += len(batch) + len(self._lines)
        with self._gate:
            self._count(0)

    def _count(self, taken: int) -> None:
        lost = self._dropped
        if taken or lost > self._counted:
            shipped.inc(taken)
            dropped.inc(max(0, lost - self._counted))
            self._counted = lost

    # --- forks -----------------------------------------------------------------------------

    def _before_fork(self) -> None:
        self._holds_gate = self._gate.acquire(timeout=FORK_SECONDS)

    def _after_fork_in_parent(self) -> None:
        if self._holds_gate:
            self._gate.release()

    def _after_fork(self) -> None:
        """In the child: its parent's lines are its parent's to ship."""
        self._gate = threading.Lock()
        self._reset()
