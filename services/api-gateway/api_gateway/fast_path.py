"""The latest chain, metrics and surface, answered without Flask and without a service: the bytes the worker wrote.

`FastPath` is a WSGI layer between `Edge` and the app. It guards and limits by the same objects as they do, and what it
cannot or may not answer goes to the app, which says why, or passes it on to storage or analytics: whatever is no
question for the newest state, and everything while Redis is away. `AtHand` gives the same answers on the server's
event loop, if nothing has to be waited for.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from api_gateway import metrics
from api_gateway.edge import Edge
from api_gateway.guard import Guard
from api_gateway.limits import Limits
from api_gateway.live_states import Held, LiveStates, RedisAway
from api_gateway.question import Question, parse_question
from api_gateway.representation import Representation, Variant, best_encoding, best_media, is_current
from aro.adapters.clock import Clock
from aro.adapters.tokens import SCOPE_READ
from aro.contracts.problems import AroError
from aro.runtime.inline import Environ, Reply
from aro.runtime.logs import get_logger
from aro.runtime.web import record_request

log = get_logger(__name__)

Wsgi = Callable[[Environ, Any], Iterable[bytes]]

LONGEST: Final = 1_500
"""Characters of path, query and what is accepted; what is longer is no poll, and would only fill what is remembered."""
LINES_PER_SECOND: Final = 200
"""Requests beyond that are in the metrics only. A line costs more than an answer, and clients that poll would else
push everything else out of the stream of logs."""
_METHODS: Final = ("GET", "HEAD")
_WAYS: Final = {way: metrics.live_answers.labels(way) for way in ("loop", "thread")}


class Asked(NamedTuple):
    """A question, and the variant of its answer that the caller likes best."""

    question: Question
    variant: Variant


class Answers:
    """What both ways share: the newest states, who may see them, and what an answer says."""

    def __init__(
        self, states: LiveStates, guard: Guard, limits: Limits, clock: Clock, *, service: str, stale_after_ms: int
    ) -> None:
        self.states = states
        self.guard = guard
        self.limits = limits
        self._clock = clock
        self._service = service
        self._stale_after_ms = stale_after_ms
        self._lines = _Lines()

    def asked(self, environ: Environ) -> Asked | None:
        if environ["REQUEST_METHOD"] not in _METHODS:
            return None
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        accept, encodings = environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", "")
        if len(path) + len(query) + len(accept) + len(encodings) > LONGEST:
            return None
        question = parse_question(path, query)
        media = None if question is None else best_media(accept, question.media)
        if question is None or media is None:
            return None
        return Asked(question, Variant(question.look, media, best_encoding(encodings)))

    def reply(self, environ: Environ, held: Held, representation: Representation) -> Reply:
        representation.uses += 1
        age = self._age(held)
        if is_current(environ.get("HTTP_IF_NONE_MATCH", ""), representation.etag):
            return "304 Not Modified", age + representation.validators, b""
        body = representation.body if environ["REQUEST_METHOD"] == "GET" else b""
        return "200 OK", age + representation.headers, body

    def record(self, environ: Environ, asked: Asked, reply: Reply, way: str, started: float) -> None:
        """`started` is of `time.perf_counter`."""
        _WAYS[way].inc()
        record_request(
            self._service,
            environ["REQUEST_METHOD"],
            asked.question.route,
            int(reply[0][:3]),
            time.perf_counter() - started,
            request_id=environ["HTTP_X_REQUEST_ID"],
            logged=self._lines.may_write(started),
        )

    def _age(self, held: Held) -> list[tuple[str, str]]:
        """So that nobody takes an old state for a new one: seconds since it came, and whether its feed still runs."""
        now = self._clock.now_ms()
        stale = now - held.source_ts > self._stale_after_ms
        return [
            ("Age", str(max(0, now - held.taken_ts) // 1000)),
            ("X-Data-State", "stale" if stale else "live"),
        ]


class _Lines:
    """Says of how many requests there is no line, once the second is over."""

    def __init__(self) -> None:
        self._second = 0
        self._asked = 0

    def may_write(self, now: float) -> bool:
        """Whether one more request may have its line; `now` in seconds."""
        if int(now) != self._second:
            left_out = self._asked - LINES_PER_SECOND
            self._second, self._asked = int(now), 0
            if left_out > 0:
                log.info("requests for latest states without a line of their own", count=left_out)
        self._asked += 1
        return self._asked <= LINES_PER_SECOND


class FastPath:
    def __init__(self, app: Wsgi, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        started = time.perf_counter()
        asked = self._answers.asked(environ)
        if asked is None:
            return self._app(environ, start_response)
        try:
            self._admit(environ)
            held, representation = self._find(asked)
        except (AroError, RedisAway, LookupError):
            return self._app(environ, start_response)
        reply = self._answers.reply(environ, held, representation)
        start_response(*reply[:2])
        self._answers.record(environ, asked, reply, "thread", started)
        return (reply[2],)

    def _admit(self, environ: Environ) -> None:
        """Raises `AroError` kinds for whom the app would refuse, and leaves it to the app to do so."""
        principal = self._answers.guard.principal(environ.get("HTTP_AUTHORIZATION", ""))
        if SCOPE_READ not in principal.scopes or not self._answers.limits.admit(environ, principal.subject):
            raise LookupError

    def _find(self, asked: Asked) -> tuple[Held, Representation]:
        """Raises LookupError, `RedisAway`, or `InvalidRequest` if this state cannot be shaped as asked."""
        held = self._answers.states.newest(asked.question)
        if held is None:
            raise LookupError
        return held, self._answers.states.representation(held, *asked)


class AtHand:
    """What `aro.runtime.inline` asks."""

    def __init__(self, edge: Edge, answers: Answers) -> None:
        self._edge = edge
        self._answers = answers

    def __call__(self, environ: Environ) -> Reply | None:
        started = time.perf_counter()
        asked = self._answers.asked(environ)
        if asked is None:
            return None
        held = self._answers.states.at_hand(asked.question)
        representation = None if held is None else held.made.get(asked.variant)
        if held is None or representation is None:
            return None
        access = self._answers.guard.at_hand(environ.get("HTTP_AUTHORIZATION", ""))
        if access is None or SCOPE_READ not in access.principal.scopes:
            return None
        self._edge.receive(environ)
        if not self._answers.limits.admit_at_hand(environ, access.principal.subject):
            return None
        status, headers, body = self._answers.reply(environ, held, representation)
        reply = (status, self._edge.dress(environ, headers), body)
        self._answers.record(environ, asked, reply, "loop", started)
        return reply
