"""A live tail as Server-Sent Events.

``line`` carries a line, and as its id the position to go on from; ``dropped`` says that lines are missing here;
``end`` says why the server stops. Comments keep the connection alive, and show when its other end is gone.
"""

import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

from aro.adapters.redis_client import RedisError
from aro.contracts.problems import AroError, InvalidRequest
from logging_service.tail import Item, Tail, Tails

EVENT_STREAM: Final = "text/event-stream"
HEARTBEAT_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.5
RETRY_MS: Final = 2_000
_POSITION: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,10}")

Check = Callable[[], None]
"""Raises an `AroError` when the one who follows may not any more, `FollowerGone` when there is nobody."""


class FollowerGone(Exception):
    """The other end of the connection is closed."""


def is_gone(connection: socket.socket) -> bool:
    """Whether the other end was closed. A write would show it too, but only the second one after that."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    try:
        return bool(poll.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def position(header: str | None) -> str | None:
    """The value of ``Last-Event-ID``. Raises `InvalidRequest` if it is none of ours."""
    if header is None or _POSITION.fullmatch(header):
        return header
    raise InvalidRequest("not valid: Last-Event-ID", errors={"Last-Event-ID": ["Not an id of this stream."]})


def events(tails: Tails, tail: Tail, *, after_id: str | None, until: float, check: Check) -> Iterator[bytes]:
    """Until `until` (monotonic seconds), until `check` raises, or until the process ends."""
    yield f"retry: {RETRY_MS}\n: following\n\n".encode()
    if after_id is not None:
        try:
            for page in tails.missed(tail, after_id):
                yield b"".join(map(_event, page))
        except RedisError:
            yield _event(Item("", dropped=-1))
    said_at = time.monotonic()
    while True:
        try:
            reason = _end(tails, until, check)
        except FollowerGone:
            return
        if reason is not None:
            yield f'event: end\ndata: {{"reason":"{reason}"}}\n\n'.encode()
            return
        items = tail.take(POLL_SECONDS)
        if items:
            yield b"".join(map(_event, items))
            said_at = time.monotonic()
        elif time.monotonic() - said_at >= HEARTBEAT_SECONDS:
            yield b": heartbeat\n\n"
            said_at = time.monotonic()


def _end(tails: Tails, until: float, check: Check) -> str | None:
    if tails.is_closing:
        return "shutdown"
    if time.monotonic() >= until:
        return "timeout"
    try:
        check()
    except AroError as error:
        return error.code
    return None


def _event(item: Item) -> bytes:
    if item.dropped:
        lines = item.dropped if item.dropped > 0 else "null"
        return f'event: dropped\ndata: {{"lines":{lines}}}\n\n'.encode()
    return b"id: %b\nevent: line\ndata: %b\n\n" % (item.id.encode(), item.line)
