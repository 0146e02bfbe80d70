"""The WSGI layer in front of Socket.IO: who may begin a handshake, and what is never negotiated."""

import random
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aro.runtime.logs import get_logger
from socket_gateway import metrics

log = get_logger(__name__)

RETRY_SECONDS: Final = (1, 5)
"""Range of ``Retry-After``; random, so that refused clients do not come back together."""
TICKET: Final = "aro.ticket"
"""Key in the WSGI environ of the connection's `Ticket`. Frameworks copy the environ, but not what is in it."""
_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(slots=True)
class Ticket:
    """Ties a WSGI request to the Engine.IO connection that comes of it."""

    engine_id: str | None = None


class Handshake:
    """WSGI middleware.

    `closed` names why no socket is accepted now, or is None. A refusal here is plain HTTP 503, which official
    clients retry by themselves; refusals that depend on the account are Socket.IO's ``connect_error``.
    `open` counts sockets until everything queued for them was written or given up.
    """

    def __init__(
        self,
        app: _Wsgi,
        *,
        closed: Callable[[], str | None],
        drop: Callable[[Ticket], None],
        max_sockets: int,
    ) -> None:
        self._app = app
        self._closed = closed
        self._drop = drop
        self._max_sockets = max_sockets
        self.open = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
            return self._app(environ, start_response)
        # Browsers offer permessage-deflate and the server would accept it: one zlib run per message *and client*.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        reason = "gateway_full" if self.open >= self._max_sockets else self._closed()
        if reason is not None:
            metrics.connects.labels(reason).inc()
            return _refuse(start_response, "503 Service Unavailable", reason)
        # Without this the second of two small messages waits for the client's delayed ACK: 40 ms on Linux.
        environ["eventlet.input"].get_socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ticket = environ[TICKET] = Ticket()
        self.open += 1
        try:
            return self._app(environ, start_response)
        except Exception as error:  # noqa: BLE001 - whatever it was, the server below would show its traceback
            # Engine.IO raises on frames that are not Engine.IO packets, and then leaves its socket half open.
            log.info("connection broke", error=type(error).__name__)
            self._drop(ticket)
            return _refuse(start_response, "400 Bad Request", "protocol_error")
        finally:
            self.open -= 1


def _refuse(start_response: Any, status: str, reason: str) -> Iterable[bytes]:
    body = f'{{"code":"{reason}"}}'.encode()
    headers = [("Content-Type", "application/json"), ("Connection", "close")]
    if status.startswith("503"):
        headers.append(("Retry-After", str(random.randint(*RETRY_SECONDS))))  # noqa: S311 - jitter, not a secret
    start_response(status, headers)
    return [body]
