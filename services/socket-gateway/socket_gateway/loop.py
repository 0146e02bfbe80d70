"""The event loop, as much of it as connections need: eventlet's hub, known to this module and `boot` only.

What is called back here runs in the hub itself, where waiting is impossible: `Loop.spawn` is for what may wait.
"""

import socket
from collections.abc import Callable
from typing import Any, Protocol

Callback = Callable[[int], None]
"""Called with the file number each time it is ready, until it is forgotten."""


class Loop(Protocol):
    def on_readable(self, number: int, callback: Callback) -> Any:
        """A handle for `forget`."""

    def on_writable(self, number: int, callback: Callback) -> Any:
        """A handle for `forget`."""

    def forget(self, handle: Any) -> None:
        """Before the file is closed: its number may be another's right after."""

    def spawn(self, task: Callable[..., Any], *arguments: Any) -> None:
        """Run soon, where waiting is allowed; never before this returns."""

    def take_over(self, environ: dict[str, Any]) -> socket.socket:
        """The connection of a WSGI request, taken out of the server's hands: it neither answers nor closes it."""


class EventletLoop:
    """A `Loop`."""

    def __init__(self) -> None:
        import eventlet
        from eventlet import hubs, wsgi

        self._hub = hubs.get_hub()
        self._spawn = eventlet.spawn_n
        self._wsgi = wsgi.WSGI_LOCAL

    def on_readable(self, number: int, callback: Callback) -> Any:
        return self._add(self._hub.READ, number, callback)

    def on_writable(self, number: int, callback: Callback) -> Any:
        return self._add(self._hub.WRITE, number, callback)

    def forget(self, handle: Any) -> None:
        self._hub.remove(handle)

    def spawn(self, task: Callable[..., Any], *arguments: Any) -> None:
        self._spawn(task, *arguments)

    def take_over(self, environ: dict[str, Any]) -> socket.socket:
        green = environ["eventlet.input"].get_socket()
        real: socket.socket = green.fd
        # The unpatched class: nothing that this socket does may wait.
        taken = type(real)(real.family, real.type, real.proto, real.detach())
        taken.setblocking(False)
        self._wsgi.already_handled = True
        return taken

    def _add(self, kind: str, number: int, callback: Callback) -> Any:
        listener = self._hub.add(kind, number, callback, _closed_elsewhere, None)
        # It would keep the greenlet that adds it, and all that greenlet holds, as long as the connection lives.
        listener.greenlet = self._hub.greenlet
        return listener


def _closed_elsewhere(error: BaseException) -> None:
    """The hub found the file number reused while it was still watched. Only its owner closes it, so this is a bug."""
    raise AssertionError("a socket was closed by someone who does not own it") from error
