"""The WSGI layer in front of Socket.IO: who may begin a handshake."""

import random
from collections.abc import Callable, Iterable
from typing import Any, Final

from aro.runtime.logs import get_logger
from socket_gateway import metrics

log = get_logger(__name__)

RETRY_SECONDS: Final = (1, 5)
"""Range of ``Retry-After``; random, so that refused clients do not come back together."""
_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Handshake:
    """WSGI middleware.

    `closed` names why no socket is accepted now, or is None. A refusal here is plain HTTP 503, which official
    clients retry by themselves; refusals that depend on the account are Socket.IO's ``connect_error``.
    `count` tells how many sockets are open, those included that still write their last words.
    """

    def __init__(
        self,
        app: _Wsgi,
        *,
        closed: Callable[[], str | None],
        count: Callable[[], int],
        max_sockets: int,
    ) -> None:
        self._app = app
        self._closed = closed
        self._count = count
        self._max_sockets = max_sockets

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
            return self._app(environ, start_response)
        reason = "gateway_full" if self._count() >= self._max_sockets else self._closed()
        if reason is not None:
            metrics.connects.labels(reason).inc()
            return _refuse(start_response, "503 Service Unavailable", reason)
        try:
            return self._app(environ, start_response)
        except Exception as error:  # noqa: BLE001 - whatever it was, the server below would show its traceback
            log.info("handshake broke", error=type(error).__name__)
            return _refuse(start_response, "400 Bad Request", "protocol_error")


def _refuse(start_response: Any, status: str, reason: str) -> Iterable[bytes]:
    body = f'{{"code":"{reason}"}}'.encode()
    headers = [("Content-Type", "application/json"), ("Connection", "close")]
    if status.startswith("503"):
        headers.append(("Retry-After", str(random.randint(*RETRY_SECONDS))))  # noqa: S311 - jitter, not a secret
    start_response(status, headers)
    return [body]
