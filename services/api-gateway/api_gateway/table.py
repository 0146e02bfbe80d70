"""Which path goes to which service, and on what terms."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from api_gateway.upstream import Terms

AUTH: Final = "auth"
STORAGE: Final = "storage"
ANALYTICS: Final = "analytics"
LOGGING: Final = "logging"
UPSTREAMS: Final = (AUTH, STORAGE, ANALYTICS, LOGGING)

TAIL_IDLE_SECONDS: Final = 60.0
"""An event stream that is silent for longer is dead: services send a comment at least every 15 s."""
READING: Final = ("GET", "HEAD")
WRITING: Final = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
METHODS: Final = READING + WRITING


class Access(Enum):
    """What the gateway asks for. Scopes, and whose object it is, are asked for by the service behind it."""

    PUBLIC = "public"
    TOKEN = "token"  # noqa: S105 - a kind of access
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Route:
    """`path` and, if `below`, everything under it."""

    path: str
    upstream: str
    terms: Terms
    access: Access = Access.TOKEN
    below: bool = False
    methods: tuple[str, ...] = METHODS


_ACCOUNTS: Final = Terms(seconds=5.0)
"""Hashing a password takes its turn: two at a time."""
_READS: Final = Terms(seconds=5.0)
"""Storage bounds itself to 2.5 s."""
_SUMS: Final = Terms(seconds=8.0)
"""Surfaces and long histories are computed."""
_TAIL: Final = Terms(seconds=5.0, idle_seconds=TAIL_IDLE_SECONDS)

ROUTES: Final = (
    Route("/.well-known/jwks.json", AUTH, _READS, Access.PUBLIC),
    Route("/api/v1/auth/register", AUTH, _ACCOUNTS, Access.PUBLIC),
    Route("/api/v1/auth/login", AUTH, _ACCOUNTS, Access.PUBLIC),
    Route("/api/v1/auth/refresh", AUTH, _ACCOUNTS, Access.PUBLIC),
    Route("/api/v1/auth/tokens/exchange", AUTH, _ACCOUNTS, Access.PUBLIC),
    Route("/api/v1/auth/users", AUTH, _ACCOUNTS, Access.ADMIN, below=True),
    Route("/api/v1/auth/invitations", AUTH, _ACCOUNTS, Access.ADMIN, below=True),
    Route("/api/v1/auth", AUTH, _ACCOUNTS, below=True),
    Route("/api/v1/products", STORAGE, _READS, below=True),
    Route("/api/v1/chains", STORAGE, _READS, below=True),
    Route("/api/v1/ticks", STORAGE, _READS, below=True),
    Route("/api/v1/analytics", ANALYTICS, _SUMS, below=True),
    Route("/api/v1/ohlc", ANALYTICS, _SUMS, below=True),
    Route("/api/v1/alerts", ANALYTICS, _SUMS, below=True),
    Route("/api/v1/replay", ANALYTICS, _SUMS, below=True),
    Route("/api/v1/logs/tail", LOGGING, _TAIL, Access.ADMIN),
    Route("/api/v1/logs", LOGGING, _READS, Access.ADMIN, below=True, methods=READING),
    Route("/api/v1/logs", LOGGING, _READS, below=True, methods=WRITING),
)


def owner(path: str) -> str | None:
    """The upstream of `path`, which may be a template like ``/api/v1/chains/{product}``."""
    for route in ROUTES:
        if path == route.path or (route.below and path.startswith(f"{route.path}/")):
            return route.upstream
    return None
