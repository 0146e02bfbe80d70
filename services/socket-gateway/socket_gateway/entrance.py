"""The HTTP server: from an accepted connection to one answered request, bounded in time and number.

Eventlet's own loop, `eventlet.wsgi.server`, gives a request 20 s per *byte*, lets new connections wait while others do
that, and ends for good at some errors of a single connection. Here a connection serves one request (a socket is taken
out of the server's hands by then), its head has to be there within a few seconds, and when too many are not so far the
oldest ones go: whoever is quick always gets in, probes too.
"""

import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

from aro.runtime.logs import get_logger
from socket_gateway import metrics

log = get_logger(__name__)

BACKLOG: Final = 1_024
"""Connections that the kernel accepts for us while we are busy; it drops what goes beyond, and clients wait 1 s."""
MAX_UNFINISHED: Final = 1_024
"""Connections whose request is not answered yet."""
SLICE: Final = 32
"""After so many connections everybody else gets a turn."""
MAX_HEAD_BYTES: Final = 16 << 10
MAX_LINE_BYTES: Final = 4_096
SEND_SECONDS: Final = 20
PAUSE_SECONDS: Final = 0.05
"""When the system cannot give us another file."""
_OURS: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
"""Errors of `accept` that speak of the listening socket. All others are of one connection, or of resources."""

_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Entrance:
    def __init__(self, app: _Wsgi, host: str, port: int, *, head_seconds: float) -> None:
        """Listen. Raises OSError if the port is taken."""
        import eventlet
        from eventlet import greenio, wsgi

        wsgi.MAX_TOTAL_HEADER_SIZE = MAX_HEAD_BYTES
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self._listening = eventlet.listen(address, family, backlog=BACKLOG, reuse_port=False)
        self._server = wsgi.Server(
            self._listening,
            address,
            app,
            protocol=_protocol(wsgi.HttpProtocol),
            keepalive=False,
            log_output=False,
            url_length_limit=MAX_LINE_BYTES,
            debug=False,
            socket_timeout=SEND_SECONDS,
        )
        self._head_seconds = head_seconds
        self._sleep, self._spawn, self._timeout = eventlet.sleep, eventlet.spawn_n, eventlet.Timeout
        self._shutdown = greenio.shutdown_safe
        self._unfinished: dict[int, Any] = {}
        """By file number, in the order of arrival."""

    def serve(self) -> NoReturn:
        """Raises OSError if the listening socket fails."""
        while True:
            for _ in range(SLICE):
                connection, address = self._accept()
                if len(self._unfinished) >= MAX_UNFINISHED:
                    self._drop_oldest()
                self._unfinished[connection.fileno()] = connection
                self._spawn(self._attend, connection, address)
            self._sleep(0)

    def _accept(self) -> tuple[Any, Any]:
        while True:
            try:
                accepted: tuple[Any, Any] = self._listening.accept()
            except OSError as error:
                if error.errno in _OURS:
                    raise
                log.warning("cannot accept", error=str(error))
                self._sleep(PAUSE_SECONDS)
            else:
                return accepted

    def _drop_oldest(self) -> None:
        """Its greenlet reads the end of the connection, and ends."""
        metrics.connects.labels("crowded_out").inc()
        self._shutdown(self._unfinished.pop(next(iter(self._unfinished))))

    def _attend(self, connection: Any, address: Any) -> None:
        number = connection.fileno()
        # As eventlet's own loop has it: address, socket, state; and what `_Protocol` stops.
        visit = [address, connection, "idle"]
        head = self._timeout(self._head_seconds)
        connection.settimeout(SEND_SECONDS)
        try:
            visit.append(head)
            self._server.process_request(visit)
        except self._timeout as late:
            if late is not head:
                raise
            if self._unfinished.get(number) is connection:  # otherwise it was dropped, and counted, just before
                metrics.connects.labels("too_slow").inc()
        except Exception as error:  # noqa: BLE001 - whatever it was, the others must not notice
            log.info("request broke", error=type(error).__name__)
        finally:
            head.cancel()
            if self._unfinished.get(number) is connection:
                del self._unfinished[number]
            connection.close()


def _protocol(base: Any) -> Any:
    class Protocol(base):  # type: ignore[misc]
        """Stops the clock when the head of the request has come, and closes all of the connection in any case."""

        def get_environ(self) -> Any:
            self.conn_state[3].cancel()
            return super().get_environ()

        def finish(self) -> None:
            try:
                super().finish()
            finally:
                # Left open when the answer finds the connection broken, this would keep the file open until a
                # collection of garbage.
                self.rfile.close()

    return Protocol
