"""The frame of every HTTP service: problem+json, request ids, health, metrics, and guarded routes.

A route that is not marked with `public` needs a valid access token with a scope: ``read`` for GET and HEAD, ``write``
for what changes something, or the one that `needs` names. `admin_only` asks for the role besides.
"""

import functools
import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

import msgspec
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, NotAcceptable, RequestEntityTooLarge, RequestURITooLarge
from werkzeug.http import HTTP_STATUS_CODES

from aro.contracts.problems import AroError, Forbidden, RateLimited, TokenMissing
from aro.runtime import tracing
from aro.runtime.addresses import Networks, nearest_untrusted, parse_networks
from aro.runtime.answers import answers
from aro.runtime.health import Health
from aro.runtime.logs import bind_request_id, get_logger
from aro.runtime.metrics import describe_build, exposition, histogram
from aro.runtime.request_spans import trace_requests

if TYPE_CHECKING:  # processes that only serve health and metrics need no token libraries
    from aro.adapters.revocations import Revocations
    from aro.adapters.tokens import Principal

log = get_logger(__name__)

MAX_BODY_BYTES: Final = 64 * 1024
MAX_URL_BYTES: Final = 4_000
"""Of path and query. The server below takes more, so that it is this frame that refuses."""
PROBLEM_JSON: Final = "application/problem+json"
OPERATIONS_ROUTES: Final = frozenset({"/livez", "/readyz", "/health", "/metrics"})
_TRUSTED_PROXIES: Final = "aro_trusted_proxies"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.|:-]{8,80}")

http_seconds = histogram(
    "http_request_duration_seconds", "Time to answer an HTTP request", ["service", "method", "route", "status"]
)

View = TypeVar("View", bound=Callable[..., Any])


class Verifier(Protocol):
    def verify(self, token: str) -> "Principal":
        """Raises `NotAuthenticated` kinds, or `ServiceUnavailable` when that cannot be known."""


def public(view: View) -> View:
    """Mark a view as open to anyone; a test holds the list of these."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def needs(scope: str) -> Callable[[View], View]:
    """Mark a view as one that takes tokens with this scope only."""

    def mark(view: View) -> View:
        view.scope = scope  # type: ignore[attr-defined]
        return view

    return mark


def any_scope(view: View) -> View:
    """Mark a view as one that takes every valid token: the service behind it asks for the scope."""
    view.scope = None  # type: ignore[attr-defined]
    return view


def admin_only(view: View) -> View:
    """Mark a view as one for the role ``admin``, and for its tokens that carry the scope ``admin``."""
    view.is_admin_only = True  # type: ignore[attr-defined]
    view.scope = "admin"  # type: ignore[attr-defined]
    return view


def create_app(
    service: str,
    *,
    health: Health,
    verifier: Verifier | None,
    revocations: "Revocations | None" = None,
    trusted_proxies: tuple[str, ...] = (),
    serves_metrics: bool = True,
    otlp_endpoint: str | None = None,
) -> Flask:
    """A Flask app that answers only what it declares.

    `verifier` may be None for processes that serve nothing but health and metrics. With `revocations`, tokens of
    ended sessions are refused. `trusted_proxies` are networks whose ``X-Forwarded-For`` is believed, see
    `client_address`; ValueError if one of them is no network. A service on a public port must not serve its metrics
    there: see `aro.runtime.operations`. With `otlp_endpoint`, tracing is started, see `aro.runtime.tracing`.
    """
    app = Flask(service, static_folder=None)
    if otlp_endpoint is not None:
        tracing.start(service, otlp_endpoint)
        trace_requests(app, besides=OPERATIONS_ROUTES)
    # "//" in a path is another path, and not worth a redirect that no route declares.
    app.url_map.merge_slashes = False
    app.extensions[_TRUSTED_PROXIES] = parse_networks(trusted_proxies)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.before_request
    def open_request() -> None:
        given = request.headers.get("X-Request-ID", "")
        # A client's id is kept when it is harmless, so that one id follows a call through all services.
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        g.started = time.perf_counter()
        bind_request_id(g.request_id)
        if request.endpoint is not None and not _is_public(app, request.endpoint):
            g.principal = authenticate(verifier, request.headers.get("Authorization", ""))
            view = app.view_functions[request.endpoint]
            if revocations is not None:
                revocations.refuse(g.principal, strict=getattr(view, "is_admin_only", False))
            authorise(g.principal, view, request.method)
        if len(request.path) + len(request.query_string) > MAX_URL_BYTES:
            raise RequestURITooLarge

    @app.after_request
    def close_request(response: Response) -> Response:
        _record(service, response)
        response.headers["X-Request-ID"] = g.get("request_id", "")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    describe_build(service)
    app.register_error_handler(AroError, answer_problem)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_crash)
    _add_operations(app, health)
    if serves_metrics:
        _add_metrics(app)
    return app


def authenticate(verifier: Verifier | None, authorization: str) -> "Principal":
    """The caller behind an ``Authorization: Bearer`` header; raises `NotAuthenticated` kinds."""
    scheme, _, token = authorization.partition(" ")
    if verifier is None or scheme.lower() != "bearer" or not token:
        raise TokenMissing("send an access token as 'Authorization: Bearer <token>'")
    return verifier.verify(token.strip())


def authorise(principal: "Principal", view: Callable[..., Any], method: str) -> None:
    """Raise `Forbidden` unless `principal` may call `view`."""
    if getattr(view, "is_admin_only", False) and principal.role != "admin":
        raise Forbidden("this needs the role admin")
    scope = scope_of(view, method)
    if scope is not None and scope not in principal.scopes:
        raise Forbidden(f"this needs a token with the scope {scope}")


def scope_of(view: Callable[..., Any], method: str) -> str | None:
    """The scope that a token needs for this method of `view`."""
    scope: str | None = getattr(view, "scope", "read" if method in ("GET", "HEAD", "OPTIONS") else "write")
    return scope


def preferred(*offered: str) -> str:
    """The media type of `offered` that the caller likes best, the first one if it does not mind.

    Raises werkzeug's NotAcceptable (406) if ``Accept`` admits none of them.
    """
    if not request.accept_mimetypes.provided:
        return offered[0]
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptable
    return best


def body_bytes() -> bytes:
    """The body of the request. Raises werkzeug's RequestEntityTooLarge (413), also for one that came in chunks.

    Werkzeug ends a body without length at the limit as if that were all of it.
    """
    body = request.get_data()
    if request.content_length is None and len(body) >= MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    return body


def http_code(status: int) -> str:
    """The problem code of a status that the framework itself answers."""
    if status == AroError.status:
        return AroError.code
    return HTTP_STATUS_CODES.get(status, "error").lower().replace(" ", "_")


def client_address() -> str:
    """The address that the present request comes from: `nearest_untrusted` of its peer and ``X-Forwarded-For``."""
    trusted: Networks = current_app.extensions[_TRUSTED_PROXIES]
    return nearest_untrusted(request.remote_addr or "", ",".join(request.headers.getlist("X-Forwarded-For")), trusted)


def json_response(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status=status, mimetype="application/json")


def problem_response(status: int, code: str, title: str, detail: str, errors: dict[str, Any] | None = None) -> Response:
    """RFC 9457 body. `code` is the stable word that programs look at."""
    body = {
        "type": f"urn:option-aro:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "code": code,
        "request_id": g.get("request_id", ""),
    }
    if errors:
        body["errors"] = errors
    return Response(msgspec.json.encode(body), status=status, mimetype=PROBLEM_JSON)


def answer_problem(error: AroError) -> Response:
    response = problem_response(error.status, error.code, error.title, error.detail, error.errors)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = f'Bearer error="{error.code}"'
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def record_request(
    service: str, method: str, route: str, status: int, seconds: float, *, request_id: str, logged: bool = True
) -> None:
    """One observation and, if `logged`, one log line: for a layer that answers a request without Flask."""
    _series(service, method, route, status).observe(seconds)
    if logged:
        bind_request_id(request_id)
        _note(method, route, status, seconds)


def _record(service: str, response: Response) -> None:
    """One observation and one log line per request."""
    route = request.url_rule.rule if request.url_rule else "unmatched"
    # A client may invent methods; metrics must not grow a series for each.
    method = request.method if request.method in _METHODS else "other"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    _series(service, method, route, response.status_code).observe(seconds)
    _note(method, route, response.status_code, seconds)


@functools.lru_cache(maxsize=1_024)
def _series(service: str, method: str, route: str, status: int) -> Any:
    return http_seconds.labels(service, method, route, status)


def _note(method: str, route: str, status: int, seconds: float) -> None:
    # Probes every second would drown what matters.
    write = log.debug if route in OPERATIONS_ROUTES else log.info
    fields = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
        "duration_ms": round(seconds * 1000, 2),
    }
    write("request", **fields)


def _is_public(app: Flask, endpoint: str) -> bool:
    return getattr(app.view_functions[endpoint], "is_public", False)


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    title = HTTP_STATUS_CODES.get(status, "Error")
    response = problem_response(status, http_code(status), title, f"{request.method} {request.path}: {title}")
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _answer_crash(error: Exception) -> Response:
    # The exception goes to the log under this request id; the client learns only that id.
    log.error("request failed", exc_info=error, **{"http.route": request.path})
    return problem_response(500, "internal_error", "Internal error", "The request failed; quote the request id.")


class HealthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`checks` has ``ok`` or what is wrong, by name of the dependency."""

    status: Literal["ok", "failing"]
    checks: dict[str, str]


def _add_operations(app: Flask, health: Health) -> None:
    @app.get("/livez")
    @public
    @answers(HealthAnswer, "The process works")
    @answers(HealthAnswer, "The process should be restarted", status=503)
    def livez() -> Response:
        """Is the process alive? Asks no dependency."""
        alive, checks = health.liveness()
        return json_response({"status": "ok" if alive else "failing", "checks": checks}, 200 if alive else 503)

    @app.get("/readyz")
    @public
    @answers(HealthAnswer, "All that it needs is there")
    @answers(HealthAnswer, "Something that it needs is away; send no requests", status=503)
    def readyz() -> Response:
        """Can this service answer? ``/health`` is the same."""
        ready, checks = health.readiness()
        return json_response({"status": "ok" if ready else "failing", "checks": checks}, 200 if ready else 503)

    app.add_url_rule("/health", "health", readyz)


def _add_metrics(app: Flask) -> None:
    @app.get("/metrics")
    @public
    @answers({"type": "string"}, "Prometheus text format", media_type="text/plain")
    def metrics() -> Response:
        """Counters, gauges and histograms of this process."""
        return Response(exposition(), mimetype="text/plain; version=0.0.4")
