"""The process around a gateway: settings, logs, open files, signals, exit code."""

import os
import resource
import signal
import sys
import time
from typing import Final

from aro.adapters.clock import SystemClock
from aro.runtime.logs import configure_logs, get_logger
from aro.runtime.settings import SettingsError, load
from socket_gateway.gateway import SERVICE, SPARE_CONNECTIONS, Gateway
from socket_gateway.settings import GatewaySettings

log = get_logger(__name__)

OTHER_FILES: Final = 192
"""Open files besides clients' sockets."""
POLL_SECONDS: Final = 0.1


class Process:
    """Runs one gateway until SIGTERM or SIGINT, or until it cannot serve."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._is_stopping = False
        self._failure: OSError | None = None

    def run(self) -> int:
        # A signal handler interrupts any greenlet anywhere, so it does nothing but leave a note.
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self._gateway.start()
        self._gateway.socketio.start_background_task(self._serve)
        while not self._is_stopping and self._failure is None:
            time.sleep(POLL_SECONDS)
        if self._failure is not None:
            log.error("cannot serve", error=str(self._failure))
            return 1
        self._gateway.drain()
        return 0

    def _serve(self) -> None:
        try:
            self._gateway.serve()
        except OSError as error:
            self._failure = error

    def _stop(self, *_signal: object) -> None:
        self._is_stopping = True


def run() -> int:
    try:
        settings = load(GatewaySettings, os.environ)
        allow_open_files(settings.max_sockets + SPARE_CONNECTIONS + OTHER_FILES)
    except SettingsError as error:
        print(f"{SERVICE} cannot start: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs(SERVICE, level=settings.log_level, ship_to=ship_to)
    return Process(Gateway(settings, SystemClock())).run()


def allow_open_files(needed: int) -> None:
    """Raise the soft limit if it is too low. Raises `SettingsError` if the hard limit is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SettingsError(f"ARO_GATEWAY_MAX_SOCKETS needs {needed} open files, but the hard limit is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
