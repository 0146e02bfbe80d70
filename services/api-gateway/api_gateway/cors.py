"""Which web pages may call: an allow-list of origins, exact ones. No cookies are involved, so no credentials are."""

from collections.abc import Iterable
from typing import Any, Final

from aro.runtime.origins import parse_origin

ALLOWED_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS: Final = (
    "Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-ID"
)
EXPOSED_HEADERS: Final = (
    "Age, As-Of, ETag, Link, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, "
    "X-Data-State, X-Epoch, X-Request-ID, X-Seq"
)
MAX_AGE_SECONDS: Final = 600

Headers = list[tuple[str, str]]


class Cors:
    def __init__(self, origins: Iterable[str]) -> None:
        """Raises ValueError for what `parse_origin` refuses."""
        self._origins = frozenset(parse_origin(origin) for origin in origins)

    def is_preflight(self, environ: dict[str, Any]) -> bool:
        return (
            bool(self._origins)
            and environ["REQUEST_METHOD"] == "OPTIONS"
            and "HTTP_ORIGIN" in environ
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )

    def preflight(self, origin: str) -> Headers:
        """Headers of the answer to a preflight: without permission, a browser does not send the request."""
        headers: Headers = [("Vary", "Origin"), ("Cache-Control", "no-store")]
        if origin in self._origins:
            headers += [
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Methods", ALLOWED_METHODS),
                ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
                ("Access-Control-Max-Age", str(MAX_AGE_SECONDS)),
            ]
        return headers

    def headers(self, origin: str) -> Headers:
        """To add to any other answer."""
        if not self._origins:
            return []
        if origin not in self._origins:
            return [("Vary", "Origin")]
        return [
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", EXPOSED_HEADERS),
        ]
