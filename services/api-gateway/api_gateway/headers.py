"""Which headers pass through the gateway, and which it makes itself. All pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

PASSED_ON: Final = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Type", "Idempotency-Key"),
    *("If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Last-Event-ID", "Prefer", "Range"),
    "User-Agent",
)
"""Of a request. Nothing else reaches a service: no cookies, and no claims about who the client is."""

HOP_BY_HOP: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_OWN: Final = frozenset({"server", "date", "x-request-id"})
_UNPREFIXED: Final = frozenset({"CONTENT_TYPE"})


def _environ_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"


_ENVIRON: Final = tuple((name, _environ_key(name)) for name in PASSED_ON)


def to_upstream(environ: Mapping[str, Any], *, authorization: str, address: str, request_id: str) -> dict[str, str]:
    """Headers of the call that a WSGI request becomes."""
    headers = {name: environ[key] for name, key in _ENVIRON if environ.get(key)}
    if authorization:
        headers["Authorization"] = authorization
    headers["X-Request-ID"] = request_id
    # The service believes its gateway, and the gateway has already made up its mind about what it was told.
    headers["X-Forwarded-For"] = address
    headers["X-Forwarded-Proto"] = environ.get("wsgi.url_scheme", "http")
    if environ.get("HTTP_HOST"):
        headers["X-Forwarded-Host"] = environ["HTTP_HOST"]
    return headers


def to_client(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers of the answer: without those that are about the connection to the upstream (RFC 9110 section 7.6.1)."""
    received = list(headers)
    connection = ",".join(value for name, value in received if name.lower() == "connection")
    dropped = HOP_BY_HOP | _OWN | {option.strip().lower() for option in connection.split(",")}
    return [(name, value) for name, value in received if name.lower() not in dropped]
