"""``/livez``, ``/readyz``, ``/health`` and ``/metrics`` for processes that are no HTTP service."""

import os
import threading

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from aro.runtime.health import Health
from aro.runtime.web import create_app


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Probes every second would drown what matters."""


def serve_operations(service: str, *, host: str, port: int, health: Health) -> BaseWSGIServer:
    """Serve in a daemon thread; ``shutdown()`` on the result ends it. Raises OSError when the port is taken."""
    app = create_app(service, health=health, verifier=None)
    server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)
    # A forked child must not keep the port when its parent dies and is started again.
    os.register_at_fork(after_in_child=server.socket.close)
    threading.Thread(target=server.serve_forever, name="operations", daemon=True).start()
    return server
