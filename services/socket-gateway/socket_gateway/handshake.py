"""The WSGI layer in front of Socket.IO: who may begin a handshake."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aro.adapters.clock import Clock
from aro.runtime.addresses import Networks, nearest_untrusted, network_of
from aro.runtime.logs import get_logger
from socket_gateway import metrics
from socket_gateway.budgets import Budget, Budgets
from socket_gateway.origins import Origins

log = get_logger(__name__)

ADDRESS: Final = "aro.address"
"""Key in the environ: what is counted as one client's address."""
RETRY_SECONDS: Final = (1, 10)
"""Range of ``Retry-After`` for refusals that are not about the address."""
PATIENCE_SECONDS: Final = 5
"""Added to ``Retry-After`` at random, for refusals that are."""
MAX_RETRY_SECONDS: Final = 60
UNAVAILABLE: Final = "503 Service Unavailable"
TOO_MANY: Final = "429 Too Many Requests"
_Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """`retry_after` in whole seconds; None if coming back is of no use."""

    status: str
    reason: str
    retry_after: int | None = None


class Gate:
    """Whether one socket more is taken now, and from this address.

    Refusals are plain HTTP, which official clients retry by themselves, each after a random time of its own. 503 is
    about the gateway, another replica may take the client; 429 is about its address. Refusals that depend on the
    account are Socket.IO's ``connect_error``.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        closed: Callable[[], str | None],
        sockets: Callable[[], int],
        sockets_of: Callable[[str], int],
        max_sockets: int,
        max_sockets_per_address: int,
        per_second: int,
        per_minute_and_address: int,
    ) -> None:
        """`closed` names why no socket is accepted now, or is None. `sockets` tells how many are open, those included
        that still write their last words; `sockets_of` does of an address."""
        self._clock = clock
        self._closed = closed
        self._sockets = sockets
        self._sockets_of = sockets_of
        self._max_sockets = max_sockets
        self._max_sockets_per_address = max_sockets_per_address
        self._rate = Budget(per_second * 60, clock.monotonic(), burst=per_second)
        self._turn_seconds = 1 / per_second
        self._last_turn = 0.0
        self._rates = Budgets(per_minute_and_address)

    def admit(self, address: str) -> Refusal | None:
        """None if a socket is welcome; it is counted then."""
        now = self._clock.monotonic()
        reason = "gateway_full" if self._sockets() >= self._max_sockets else self._closed()
        if reason is not None:
            return self._later(reason, now)
        if self._sockets_of(address) >= self._max_sockets_per_address:
            return _not_you("too_many_sockets_of_address")
        of_address = self._rates.of(address, now)
        if wait := of_address.wait(now):
            return _not_you("too_many_handshakes_of_address", wait)
        # What is refused for all is not held against this one.
        if not self._rate.take(now):
            return self._later("too_many_handshakes", now)
        of_address.take(now)
        return None

    def _later(self, reason: str, now: float) -> Refusal:
        """Each is given a turn of its own, so that the refused come back at the pace at which they can be taken."""
        earliest, latest = RETRY_SECONDS
        self._last_turn = min(max(now + earliest, self._last_turn + self._turn_seconds), now + latest)
        return Refusal(UNAVAILABLE, reason, _whole(self._last_turn - now))


class Handshake:
    """WSGI middleware. Requests that do not want to become a socket pass it by."""

    def __init__(self, app: _Wsgi, gate: Gate, origins: Origins, trusted_proxies: Networks) -> None:
        self._app = app
        self._gate = gate
        self._origins = origins
        self._trusted_proxies = trusted_proxies

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
            return self._app(environ, start_response)
        peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        address = environ[ADDRESS] = network_of(nearest_untrusted(peer, forwarded, self._trusted_proxies))
        if not self._origins.admit(environ):
            refusal: Refusal | None = Refusal("403 Forbidden", "origin_forbidden")
        else:
            refusal = self._gate.admit(address)
        if refusal is not None:
            return _refuse(start_response, refusal)
        try:
            return self._app(environ, start_response)
        except Exception as error:  # noqa: BLE001 - whatever it was, the server below would show its traceback
            log.info("handshake broke", error=type(error).__name__)
            return _refuse(start_response, Refusal("400 Bad Request", "protocol_error"))


def _not_you(reason: str, wait: float = 0.0) -> Refusal:
    seconds = max(1, min(wait, MAX_RETRY_SECONDS)) + random.uniform(0, PATIENCE_SECONDS)  # noqa: S311 - jitter
    return Refusal(TOO_MANY, reason, _whole(seconds))


def _whole(seconds: float) -> int:
    """Rounded up or down by chance, so that as many come in each second as should."""
    return int(seconds + random.random())  # noqa: S311 - no secret


def _refuse(start_response: Any, refusal: Refusal) -> Iterable[bytes]:
    metrics.connects.labels(refusal.reason).inc()
    headers = [("Content-Type", "application/json"), ("Connection", "close")]
    if refusal.retry_after is not None:
        headers.append(("Retry-After", str(refusal.retry_after)))
    start_response(refusal.status, headers)
    return [f'{{"code":"{refusal.reason}"}}'.encode()]
