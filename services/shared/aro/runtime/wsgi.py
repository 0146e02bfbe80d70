"""Serving a WSGI app with gunicorn inside this very process: same pid, no shell, no configuration files."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

THREADS: Final = 8
GRACEFUL_SECONDS: Final = 20
IDLE_SECONDS: Final = 75
"""Longer than clients and proxies keep idle connections, so that it is they who close them."""
_MEMORY_DIRECTORY: Final = Path("/dev/shm")  # noqa: S108 - gunicorn's heartbeat file must not touch a slow disk


class _PlainLogger(Logger):  # type: ignore[misc]
    """Gunicorn's own words go through our one formatter; its access log is off, ours says more."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = True


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, create: Callable[[], Flask], *, host: str, port: int) -> None:
        self._create = create
        self._bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        chosen = {
            "bind": self._bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
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


def serve(create: Callable[[], Flask], *, host: str, port: int) -> None:
    """Run until SIGTERM, then finish what was begun. `create` is called after the fork, in the worker."""
    _Server(create, host=host, port=port).run()
