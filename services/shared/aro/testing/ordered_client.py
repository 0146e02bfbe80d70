"""python-socketio's client for witnesses of order: messages are handled one after the other, as they came."""

from typing import Any

import engineio
import socketio


class _Engine(engineio.Client):  # type: ignore[misc]
    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        if target == self.handlers.get("message"):
            return target(*args, **kwargs)
        return super().start_background_task(target, *args, **kwargs)


class OrderedClient(socketio.Client):  # type: ignore[misc]
    """The stock client starts a thread for each message, and on a busy machine these overtake each other.

    Handlers run in the thread that reads, so they must not wait for an answer (`call`).
    """

    def _engineio_client_class(self) -> type[_Engine]:
        return _Engine
