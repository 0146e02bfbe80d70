"""Calls to one service behind the gateway: pooled connections, a deadline, one retry, a bulkhead and a circuit."""

import http.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import urllib3
from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as faults

from api_gateway import metrics
from api_gateway.bulkhead import Bulkhead
from api_gateway.circuit import Circuit
from api_gateway.failures import UpstreamAway, UpstreamBusy, UpstreamGarbled, UpstreamSlow
from api_gateway.streams import CHUNK_BYTES, Stream, limit_wait
from aro.adapters.clock import Clock
from aro.contracts.problems import AroError
from aro.runtime import tracing
from aro.runtime.logs import get_logger

log = get_logger(__name__)

SLOTS: Final = 8
"""Calls to one upstream at a time: it has as many threads, and more would only wait there instead of here."""
QUEUE: Final = 8
QUEUE_SECONDS: Final = 0.5
CONNECT_SECONDS: Final = 1.0
WHOLE_BYTES: Final = 1 << 20
"""An answer of known size up to this is read whole before it is passed on, so that a failure is still a problem."""
STREAM_SECONDS: Final = 60.0
"""A larger one, or one of unknown size, may take this long in all."""
_READS: Final = frozenset({"GET", "HEAD"})
_BODILESS: Final = frozenset({204, 304})
_RETRIED: Final = frozenset({"connect", "reset", "body"})


@dataclass(frozen=True, slots=True)
class Call:
    """`target` is the path with its query, percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a call may take. With `idle_seconds` it is an event stream: it has no end, and that between events."""

    seconds: float
    idle_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A `Stream` holds a slot until it is closed."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | Stream


@dataclass(frozen=True, slots=True)
class _Turn:
    """A call that has a slot, until `leave` is called; it must have its answer at `until` (monotonic seconds)."""

    call: Call
    terms: Terms
    until: float
    leave: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    problem: type[AroError]


class Upstream:
    """Safe for use by many threads; they share its connections."""

    def __init__(self, name: str, url: str, *, clock: Clock, streams: int = 0) -> None:
        """`url` is ``scheme://host:port``; `streams` event streams may be open besides the slots for calls."""
        self.name = name
        self._clock = clock
        self._calls = Bulkhead(SLOTS, queue=QUEUE, wait_seconds=QUEUE_SECONDS)
        self._streams = Bulkhead(streams)
        self._circuit = Circuit(clock)
        self._pool = urllib3.connection_from_url(url, maxsize=SLOTS + streams, block=False, retries=False)
        metrics.circuit_state.labels(name).set(self._circuit.state)

    def ask(self, call: Call, terms: Terms) -> Reply:
        """The upstream's answer, whatever its status.

        Raises
        ------
        UpstreamBusy, UpstreamAway, UpstreamSlow, UpstreamGarbled
            Within ``terms.seconds``, and half a second of waiting for a slot.
        """
        bulkhead = self._calls if terms.idle_seconds is None else self._streams
        if not bulkhead.enter():
            metrics.bulkhead_rejected.labels(self.name).inc()
            raise UpstreamBusy(f"the {self.name} service is busy; try again in a moment")
        streaming = False
        try:
            turn = _Turn(call, terms, self._clock.monotonic() + terms.seconds, bulkhead.leave)
            reply = self._ask(turn)
            streaming = isinstance(reply.body, Stream)
            return reply
        finally:
            if not streaming:
                bulkhead.leave()

    def _ask(self, turn: _Turn) -> Reply:
        outcome = self._try(turn)
        if isinstance(outcome, _Failure) and turn.call.method in _READS and outcome.reason in _RETRIED:
            outcome = self._try(turn)
        if isinstance(outcome, _Failure):
            raise outcome.problem(f"the {self.name} service {_SAID[outcome.problem]}")
        return outcome

    def _try(self, turn: _Turn) -> Reply | _Failure:
        ticket = self._circuit.admit()
        if ticket is None:
            return _Failure("open", UpstreamAway)
        started = self._clock.monotonic()
        worked = False
        try:
            reply = self._send(turn)
            worked = True
            return reply
        except (faults.HTTPError, http.client.HTTPException, OSError) as error:
            reason, problem = classify(error)
            metrics.upstream_failures.labels(self.name, reason).inc()
            log.warning("upstream failed", upstream=self.name, reason=reason, **{"error.type": type(error).__name__})
            return _Failure(reason, problem)
        finally:
            self._circuit.report(ticket, worked=worked)
            metrics.circuit_state.labels(self.name).set(self._circuit.state)
            metrics.upstream_seconds.labels(self.name).observe(self._clock.monotonic() - started)

    def _send(self, turn: _Turn) -> Reply:
        call = turn.call
        left = max(0.01, turn.until - self._clock.monotonic())
        with tracing.span(f"{call.method} {self.name}", kind="client"):
            response = self._pool.urlopen(
                call.method,
                call.target,
                body=call.body or None,
                headers=tracing.carried(call.headers),
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, left), total=left),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        try:
            return Reply(response.status, list(response.headers.items()), self._body(response, turn))
        except BaseException:
            response.close()
            raise

    def _body(self, response: BaseHTTPResponse, turn: _Turn) -> bytes | Stream:
        if _is_small(response, turn.call.method):
            return b"".join(iter(lambda: self._chunk(response, turn), b""))
        idle_seconds = turn.terms.idle_seconds
        if idle_seconds is not None and response.status == http.client.OK:
            return Stream(response, self.name, turn.leave, clock=self._clock, wait_seconds=idle_seconds)
        # The first part comes within the deadline or is a problem; only what follows can break off.
        first = self._chunk(response, turn)
        if not first:
            return b""
        ends = self._clock.monotonic() + STREAM_SECONDS
        wait = turn.terms.seconds
        return Stream(response, self.name, turn.leave, clock=self._clock, wait_seconds=wait, first=first, ends_at=ends)

    def _chunk(self, response: BaseHTTPResponse, turn: _Turn) -> bytes:
        left = turn.until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        limit_wait(response, left)
        return response.read1(CHUNK_BYTES, decode_content=False)


def _is_small(response: BaseHTTPResponse, method: str) -> bool:
    if method == "HEAD" or response.status in _BODILESS:
        return True
    size = response.headers.get("Content-Length", "")
    return "Transfer-Encoding" not in response.headers and size.isdecimal() and int(size) <= WHOLE_BYTES


def classify(error: Exception) -> tuple[str, type[AroError]]:
    """(reason of ``upstream_failures_total``, problem) of what urllib3 or a socket raised."""
    if isinstance(error, faults.NewConnectionError):
        return "connect", UpstreamAway
    if isinstance(error, (faults.TimeoutError, TimeoutError)):
        return "timeout", UpstreamSlow
    if isinstance(error, (faults.IncompleteRead, http.client.IncompleteRead)):
        return "body", UpstreamAway
    causes = (error, *(argument for argument in error.args if isinstance(argument, Exception)))
    if any(isinstance(cause, ConnectionError) for cause in causes):
        return "reset", UpstreamAway
    return "protocol", UpstreamGarbled


_SAID: Final[dict[type[AroError], str]] = {
    UpstreamAway: "is away; try again in a moment",
    UpstreamSlow: "did not answer in time",
    UpstreamGarbled: "gave no sensible answer",
}
