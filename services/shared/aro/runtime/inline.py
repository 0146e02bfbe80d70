"""Requests that gunicorn's event loop answers itself, because everything for the answer is in memory.

gthread hands each request to a pool of threads and takes its connection back: about 0.1 ms, most of it spent by
threads that wait for each other. An app that has answers at hand registers an `Inline` with `answer_inline`. It is
called on the loop for plain GET and HEAD requests of connections that were kept alive, so it must never wait. What it
declines, and every other request, takes the usual way; the client cannot tell the difference.
"""

import functools
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from flask import Flask
from gunicorn import SERVER  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from aro.runtime.logs import get_logger

log = get_logger(__name__)

Environ = dict[str, Any]
Reply = tuple[str, list[tuple[str, str]], bytes]
"""Status line without the protocol, headers, and the body, which is empty for HEAD and 304."""

Inline = Callable[[Environ], Reply | None]
"""The answer to a request, or None if it has to wait for anything."""

_EXTENSION: Final = "aro.inline"
_READ_BYTES: Final = 16_384
_REFRESH_SECONDS: Final = 1.0
"""How exactly the time is known since when a busy connection is idle."""

# Anything else, however correct, is left to gunicorn's parser: bodies, other versions, unusual names and bytes.
_HEAD: Final = re.compile(r"(GET|HEAD) (/[!$-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[\t -~]*\r\n)+)\r\n")
_NEEDS_THREAD: Final = frozenset(
    {"HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE", "HTTP_CONTENT_TYPE", "HTTP_TE"}
)


_OWN_KEYS: Final = 7
"""Of an environ besides those of its headers."""


def answer_inline(app: Flask, inline: Inline) -> None:
    """Let the server of `app` ask `inline` first."""
    app.extensions[_EXTENSION] = inline


class InlineWorker(ThreadWorker):  # type: ignore[misc]
    """gthread, with a short way for what its loop can answer."""

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self._inline: Inline | None = getattr(self.wsgi, "extensions", {}).get(_EXTENSION)

    def on_client_socket_readable(self, conn: TConn, client: Any) -> None:
        if self._inline is None or conn.is_http2 or not self.alive or not self._answer(self._inline, conn):
            super().on_client_socket_readable(conn, client)

    def _answer(self, inline: Inline, conn: TConn) -> bool:
        """Whether the request was answered here. If not, the usual way finds it unread."""
        try:
            data = conn.sock.recv(_READ_BYTES)
        except OSError:
            return False
        head, body = b"", b""
        try:
            environ = parse_head(data, conn.client)
            reply = None if environ is None else inline(environ)
            if reply is not None:
                head, body = head_bytes(reply), reply[2]
        except Exception:
            # The loop serves everybody and goes on; a thread answers this one.
            log.exception("an inline answer failed")
        if not head:
            conn.parser.unreader.unread(data)
            return False
        self._write(conn, head, body)
        return True

    def _write(self, conn: TConn, head: bytes, body: bytes) -> None:
        try:
            sent = conn.sock.sendmsg((head, body)) if body else conn.sock.send(head)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._leave_to_thread(conn, b"")
            return
        if sent < len(head) + len(body):
            self._leave_to_thread(conn, (head + body)[sent:])
        elif conn.timeout - time.monotonic() < self.cfg.keepalive - _REFRESH_SECONDS:
            # The queue is in order of time.
            self.keepalived_conns.remove(conn)
            conn.set_timeout()
            self.keepalived_conns.append(conn)

    def _leave_to_thread(self, conn: TConn, rest: bytes) -> None:
        """A client that does not read keeps a thread waiting, and not the loop."""
        self.poller.unregister(conn.sock)
        self.keepalived_conns.remove(conn)
        future = self.tpool.submit(_finish, conn, rest)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))


def _finish(conn: TConn, rest: bytes) -> bool:
    """Whether the connection can be used again."""
    try:
        conn.sock.setblocking(True)
        conn.sock.sendall(rest)
    except OSError:
        return False
    return bool(rest)


def parse_head(data: bytes, peer: Any) -> Environ | None:
    """The WSGI environ of exactly one plain request without a body; None for anything that is not that."""
    try:
        match = _HEAD.fullmatch(data.decode("ascii"))
    except UnicodeDecodeError:
        return None
    if match is None:
        return None
    method, target, fields = match.groups()
    path, _, query = target.partition("?")
    environ: Environ = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer[0] if isinstance(peer, tuple) else "",
        "wsgi.url_scheme": "http",
    }
    lines = fields.split("\r\n")
    del lines[-1]
    for line in lines:
        name, _, value = line.partition(":")
        environ[_key(name)] = value.strip(" \t")
    if len(environ) < _OWN_KEYS + len(lines):  # a name came twice
        return None
    if not _NEEDS_THREAD.isdisjoint(environ) or environ.get("HTTP_CONNECTION", "keep-alive").lower() != "keep-alive":
        return None
    return environ if "HTTP_HOST" in environ else None


@functools.lru_cache(maxsize=256)
def _key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def head_bytes(reply: Reply) -> bytes:
    """As gunicorn writes it."""
    status, headers, _ = reply
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return (
        f"HTTP/1.1 {status}\r\nServer: {SERVER}\r\nDate: {_date(int(time.time()))}\r\nConnection: keep-alive\r\n"
        f"{fields}\r\n"
    ).encode("latin-1")


_dates: dict[int, str] = {}


def _date(second: int) -> str:
    text = _dates.get(second)
    if text is None:
        _dates.clear()
        text = _dates[second] = formatdate(second, usegmt=True)
    return text
