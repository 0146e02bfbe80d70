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
from socket_gateway.entrance import MAX_UNFINISHED
from socket_gateway.gateway import SERVICE, Gateway
from socket_gateway.settings import GatewaySettings
from socket_gateway.watchdog import Watchdog

log = get_logger(__name__)

OTHER_FILES: Final = 192
"""Open files besides clients' sockets."""
POLL_SECONDS: Final = 0.1


class Process:
    """Runs one gateway until SIGTERM or SIGINT, or until it cannot serve."""

    def __init__(self, gateway: Gateway, watchdog: Watchdog) -> None:
        self._gateway = gateway
        self._watchdog = watchdog
        self._is_stopping = False
        self._failure: OSError | None = None

    def run(self) -> int:
        # A signal handler interrupts any greenlet anywhere, so it does nothing but leave a note.
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self._gateway.start()
        self._gateway.socketio.start_background_task(self._serve)
        while not self._is_stopping and self._failure is None:
            self._watchdog.feed(time.monotonic())
            time.sleep(POLL_SECONDS)
        self._watchdog.stop()  # whoever told it to stop is waiting for that, and not for ever
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
        allow_open_files(settings.max_sockets + MAX_UNFINISHED + OTHER_FILES)
    except SettingsError as error:
        print(f"{SERVICE} cannot start: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs(SERVICE, level=settings.log_level, ship_to=ship_to)
    return Process(Gateway(settings, SystemClock()), Watchdog(settings.stuck_seconds)).run()


def allow_open_files(needed: int) -> None:
    """Raise the soft limit if it is too low. Raises `SettingsError` if the hard limit is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SettingsError(f"ARO_GATEWAY_MAX_SOCKETS needs {needed} open files, but the hard limit is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
