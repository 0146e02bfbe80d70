"""The outermost WSGI layer: what holds for every request and every answer, the fast path's included."""

import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from api_gateway.cors import Cors
from api_gateway.exchange import CALLER
from api_gateway.limits import Limits
from aro.contracts.problems import RateLimited
from aro.runtime.addresses import Networks, nearest_untrusted
from aro.runtime.web import OPERATIONS_ROUTES, PROBLEM_JSON

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

CONTENT_SECURITY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""An answer of the API that a browser shows as a page may load and do nothing."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.|:-]{8,80}")


class Edge:
    """Adds the client's address and a request id to the environ, and headers to the answer, where they are missing."""

    def __init__(self, app: Wsgi, *, limits: Limits, cors: Cors, trusted: Networks = (), hsts_seconds: int = 0) -> None:
        self._app = app
        self._limits = limits
        self._cors = cors
        self._trusted = trusted
        self._security = [
            ("Content-Security-Policy", CONTENT_SECURITY),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        if hsts_seconds:
            self._security.append(("Strict-Transport-Security", f"max-age={hsts_seconds}; includeSubDomains"))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.receive(environ)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, self.dress(environ, headers), exc_info)

        if environ["PATH_INFO"] not in OPERATIONS_ROUTES:
            if self._cors.is_preflight(environ):
                start_response("204 No Content", self._common(environ, self._cors.preflight(environ["HTTP_ORIGIN"])))
                return ()
            if not self._limits.admit_address(environ):
                return _refuse(environ, start)
        return self._app(environ, start)

    def receive(self, environ: dict[str, Any]) -> None:
        """Put what everybody behind relies on into `environ`: a request id, and the client's address."""
        if not _REQUEST_ID.fullmatch(environ.get("HTTP_X_REQUEST_ID", "")):
            environ["HTTP_X_REQUEST_ID"] = secrets.token_hex(8)
        address = environ[Limits.ADDRESS] = self._address(environ)
        CALLER.set({"X-Forwarded-For": address, "X-Request-ID": environ["HTTP_X_REQUEST_ID"]})

    def dress(self, environ: dict[str, Any], headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """`headers` of the answer to `environ`, with those that are missing. What is there already holds."""
        return self._common(environ, [*headers, *self._cors.headers(environ.get("HTTP_ORIGIN", ""))])

    def _common(self, environ: dict[str, Any], headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        present = {name.lower() for name, _ in headers}
        added = [*self._security, ("X-Request-ID", environ["HTTP_X_REQUEST_ID"])]
        if Limits.ALLOWANCE in environ:
            added += environ[Limits.ALLOWANCE].headers()
        return headers + [pair for pair in added if pair[0].lower() not in present]

    def _address(self, environ: dict[str, Any]) -> str:
        peer: str = environ.get("REMOTE_ADDR", "")
        return (
            nearest_untrusted(peer, environ.get("HTTP_X_FORWARDED_FOR", ""), self._trusted) if self._trusted else peer
        )


def _refuse(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """429 to an address, before its token or anything else is looked at."""
    wait = environ[Limits.ALLOWANCE].reset
    problem = {
        "type": f"urn:option-aro:problem:{RateLimited.code}",
        "title": RateLimited.title,
        "status": RateLimited.status,
        "detail": f"too many requests from this address; try again in {wait} s",
        "instance": environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
        "code": RateLimited.code,
        "request_id": environ["HTTP_X_REQUEST_ID"],
    }
    body = msgspec.json.encode(problem)
    start(
        "429 Too Many Requests",
        [
            ("Content-Type", PROBLEM_JSON),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Retry-After", str(wait)),
        ],
    )
    return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)
