"""Answers that are passed on as they come, and those of them that end when a session does."""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from typing import Final

from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as faults

from api_gateway import metrics
from aro.adapters.clock import Clock

CHUNK_BYTES: Final = 1 << 16


class StreamBroken(Exception):
    """The upstream's answer ended before its end; the client must see that its own did too."""


class Stream(Iterator[bytes]):
    """The body of `response`. `leave` is called once, when it is over or closed.

    Iterating raises `StreamBroken` if the upstream drops the connection, is silent for `wait_seconds`, or is not done
    at `ends_at`. The server then closes the client's connection without the mark that ends a whole answer.
    """

    def __init__(
        self,
        response: BaseHTTPResponse,
        upstream: str,
        leave: Callable[[], None],
        *,
        clock: Clock,
        wait_seconds: float,
        first: bytes = b"",
        ends_at: float | None = None,
    ) -> None:
        self._response = response
        self._upstream = upstream
        self._leave = leave
        self._clock = clock
        self._first = first
        self._ends_at = ends_at
        self._closed = threading.Lock()
        limit_wait(response, wait_seconds)

    def __next__(self) -> bytes:
        if self._first:
            chunk, self._first = self._first, b""
            return chunk
        if self._ends_at is not None and self._clock.monotonic() > self._ends_at:
            self._fail()
        try:
            chunk = self._response.read1(CHUNK_BYTES, decode_content=False)
        except (faults.HTTPError, http.client.HTTPException, OSError, ValueError):
            self._fail()
        if not chunk:
            self.close()
            raise StopIteration
        return chunk

    def interrupt(self) -> None:
        """End it from another thread: whoever iterates gets `StreamBroken`."""
        with contextlib.suppress(ValueError, RuntimeError, OSError):  # it was over already
            self._response.shutdown()

    def close(self) -> None:
        if self._closed.acquire(blocking=False):
            # Whatever is left of the answer is not waited for: the connection goes with it.
            self._response.close()
            self._leave()

    def _fail(self) -> None:
        metrics.upstream_failures.labels(self._upstream, "body").inc()
        self.close()
        raise StreamBroken(self._upstream) from None


class OpenStreams:
    """Which streams end with which session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_session: dict[str, set[Stream]] = {}

    def add(self, session: str, stream: Stream) -> None:
        with self._lock:
            self._of_session.setdefault(session, set()).add(stream)

    def discard(self, session: str, stream: Stream) -> None:
        with self._lock:
            streams = self._of_session.get(session, set())
            streams.discard(stream)
            if not streams:
                self._of_session.pop(session, None)

    def interrupt(self, session: str) -> None:
        """Called when `session` ended."""
        with self._lock:
            streams = list(self._of_session.get(session, ()))
        for stream in streams:
            stream.interrupt()

    def interrupt_all(self) -> None:
        """Called when the process is to end: nobody else would end them."""
        with self._lock:
            sessions = list(self._of_session)
        for session in sessions:
            self.interrupt(session)


def limit_wait(response: BaseHTTPResponse, seconds: float) -> None:
    """No read from `response` waits longer; one of a connection that the upstream closes keeps its first limit."""
    connection = response.connection
    sock = getattr(connection, "sock", None)
    if sock is not None:
        sock.settimeout(seconds)
