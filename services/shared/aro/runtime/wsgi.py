"""Serving a WSGI app with gunicorn inside this very process: same pid, no shell, no configuration files."""

import errno
import logging
import secrets
import selectors
import socket
import struct
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec
from flask import Flask
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from aro.runtime.inline import InlineWorker
from aro.runtime.web import PROBLEM_JSON, http_code

THREADS: Final = 8
GRACEFUL_SECONDS: Final = 20
IDLE_SECONDS: Final = 75
"""Longer than clients and proxies keep idle connections, so that it is they who close them."""
REQUEST_LINE_BYTES: Final = 8_190
"""The most that gunicorn takes; the frame's own limit is below it."""
RECEIVE_SECONDS: Final = 10
"""How long a client may pause while it sends a request."""
SEND_SECONDS: Final = 30
"""How long a client may pause while it takes an answer."""
_MEMORY_DIRECTORY: Final = Path("/dev/shm")  # noqa: S108 - gunicorn's heartbeat file must not touch a slow disk


_REFUSALS: Final = (
    # These two are ours, and no fault of the caller.
    ((errors.InvalidResponseHeader, errors.InvalidResponseHeaderName), HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (errors.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
    (errors.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (errors.ParseException, HTTPStatus.BAD_REQUEST),
)

log = logging.getLogger(__name__)

_ON_EXIT: Final = "aro.on_exit"


def on_exit(app: Flask, callback: Callable[[], None]) -> None:
    """Let the server of `app` call this when it begins to shut down, before it waits for what is still being answered.

    It is called on the server's loop and must not wait.
    """
    app.extensions.setdefault(_ON_EXIT, []).append(callback)


class Worker(InlineWorker):
    """gthread, with a thread for whoever sends or takes something, and none for whoever only connects.

    What is no HTTP request is answered with a problem; gunicorn's own page would quote its exception.
    """

    def accept(self, listener: socket.socket) -> None:
        """Let a new connection wait for its first bytes in the poller. gthread waits in a thread, five seconds long."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                raise
            return
        # These hold for the blocking calls of threads; the server below knows no such limits.
        for option, seconds in ((socket.SO_RCVTIMEO, RECEIVE_SECONDS), (socket.SO_SNDTIMEO, SEND_SECONDS)):
            client.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
        self.nr_conns += 1
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle_exit(self, sig: Any, frame: Any) -> None:
        if self.alive:
            for callback in getattr(self.wsgi, "extensions", {}).get(_ON_EXIT, ()):
                self.method_queue.defer(callback)
        super().handle_exit(sig, frame)

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: BaseException) -> None:
        status = next((found for kind, found in _REFUSALS if isinstance(exc, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
        request_id = secrets.token_hex(8)
        failed = exc if status == HTTPStatus.INTERNAL_SERVER_ERROR else None
        log.warning("refused %s: %s", request_id, type(exc).__name__, exc_info=failed)
        try:
            util.write_nonblock(client, _refusal(status, request_id))
        except OSError:
            log.debug("the caller was gone before it could be told")


def _refusal(status: HTTPStatus, request_id: str) -> bytes:
    body = msgspec.json.encode(
        {
            "type": f"urn:option-aro:problem:{http_code(status)}",
            "title": status.phrase,
            "status": int(status),
            "detail": "the server could not read this request",
            "instance": "",
            "code": http_code(status),
            "request_id": request_id,
        }
    )
    head = (
        f"HTTP/1.1 {status:d} {status.phrase}\r\nConnection: close\r\nContent-Type: {PROBLEM_JSON}\r\n"
        f"X-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


class _PlainLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own words go through our one formatter; its access log is off, ours says more."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = True


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, create: Callable[[], Flask], *, host: str, port: int, threads: int) -> None:
        self._create = create
        self._threads = threads
        self._bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        chosen = {
            "bind": self._bind,
            "worker_class": Worker,
            "limit_request_line": REQUEST_LINE_BYTES,
            "workers": 1,
            "threads": self._threads,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": IDLE_SECONDS,
            "logger_class": _PlainLogger,
            "worker_tmp_dir": str(_MEMORY_DIRECTORY) if _MEMORY_DIRECTORY.is_dir() else None,
            # It would listen in the user's home, one path for all services.
            "control_socket_disable": True,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._create()


def serve(create: Callable[[], Flask], *, host: str, port: int, threads: int = THREADS) -> None:
    """Run until SIGTERM, then finish what was begun. `create` is called after the fork, in the worker."""
    _Server(create, host=host, port=port, threads=threads).run()
