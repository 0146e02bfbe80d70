"""Access tokens: Ed25519-signed ``at+jwt`` (RFC 9068), verified against a JWKS.

The algorithm and the type are fixed here and never read from a token's header (RFC 8725 §3.1, §3.11).
"""

import math
import re
import secrets
import threading
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from aro.adapters.clock import Clock
from aro.contracts.problems import NotAuthenticated, ServiceUnavailable, TokenExpired, TokenMissing

ALGORITHM: Final = "EdDSA"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - a media type
ACCESS_SECONDS: Final = 15 * 60
LEEWAY_SECONDS: Final = 30
REQUIRED_CLAIMS: Final = ("iss", "aud", "exp", "iat", "sub", "jti")
SCOPE_READ: Final = "read"
"""Market data, analytics and one's own objects."""
SCOPE_WRITE: Final = "write"
"""Make, change and delete one's own objects."""
SCOPE_ACCOUNT: Final = "account"
"""The account itself: password, sessions, personal tokens."""
SCOPE_ADMIN: Final = "admin"
"""What the role ``admin`` may do besides; worth nothing without that role."""
ALL_SCOPES: Final = frozenset({SCOPE_READ, SCOPE_WRITE, SCOPE_ACCOUNT, SCOPE_ADMIN})
ROLE_USER: Final = "user"
ROLE_ADMIN: Final = "admin"
MAX_TOKEN_CHARS: Final = 4_096
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified token speaks for, and what it may do. `expires_at` is UTC epoch seconds.

    `session` is what ends at logout or revocation: the log-in or the personal token behind this token.
    """

    subject: str
    role: str
    token_id: str
    expires_at: int
    session: str = ""
    scopes: frozenset[str] = ALL_SCOPES


class KeySource(Protocol):
    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The verification key called `kid`, or None. Raises `ServiceUnavailable` if none can be had at all."""


class TokenIssuer:
    """Only the auth service has one."""

    def __init__(self, key: Ed25519PrivateKey, kid: str, *, issuer: str, audience: str, clock: Clock) -> None:
        self._key = key
        self._kid = kid
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def issue(
        self,
        subject: str,
        role: str,
        *,
        lifetime: int = ACCESS_SECONDS,
        session: str = "",
        scopes: frozenset[str] = ALL_SCOPES,
    ) -> str:
        """`lifetime` in seconds."""
        now = self._clock.now_ms() // 1000
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "role": role,
            "iat": now,
            "exp": now + lifetime,
            "jti": secrets.token_urlsafe(16),
            "sid": session,
            "scope": " ".join(sorted(scopes)),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid, "typ": TOKEN_TYPE})


class TokenVerifier:
    def __init__(self, keys: KeySource, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def verify(self, token: str) -> Principal:
        """Raises `TokenMissing`, `TokenExpired` or `NotAuthenticated`; `ServiceUnavailable` without any key."""
        if not token:
            raise TokenMissing("an access token is required")
        key = self._key_of(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED_CLAIMS)},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("the access token has expired") from None
        except jwt.PyJWTError:
            raise NotAuthenticated("the access token does not verify") from None
        return Principal(
            subject=str(claims["sub"]),
            role=str(claims.get("role", ROLE_USER)),
            token_id=str(claims["jti"]),
            expires_at=int(claims["exp"]),
            session=str(claims.get("sid", "")),
            scopes=ALL_SCOPES.intersection(str(claims.get("scope", "")).split()),
        )

    def _key_of(self, token: str) -> Ed25519PublicKey:
        try:
            if len(token) > MAX_TOKEN_CHARS:
                raise NotAuthenticated("the access token is too long")
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise NotAuthenticated("the access token is not a JWT") from None
        kid = header.get("kid")
        if header.get("typ") != TOKEN_TYPE or not isinstance(kid, str) or not _KID.fullmatch(kid):
            raise NotAuthenticated("this is not an access token of this platform")
        key = self._keys.find(kid)
        if key is None:
            raise NotAuthenticated("the access token was signed by an unknown key")
        return key


class StaticKeys:
    """Keys that are already at hand: the auth service's own, or a test's."""

    def __init__(self, keys: dict[str, Ed25519PublicKey]) -> None:
        self._keys = keys

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return self._keys.get(kid)


class JwksKeys:
    """Keys fetched from auth's JWKS, cached; an unknown `kid` refetches at most once a minute.

    With auth away, keys already fetched keep working: existing sessions do not depend on it.
    """

    CACHE_SECONDS: Final = 3_600.0
    UNKNOWN_KID_SECONDS: Final = 60.0
    RETRY_SECONDS: Final = 1.0
    STALE_RETRY_SECONDS: Final = 10.0

    def __init__(self, url: str, *, clock: Clock, timeout: float = 1.0) -> None:
        self._url = url
        self._clock = clock
        self._timeout = timeout
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = threading.Lock()

    def find(self, kid: str) -> Ed25519PublicKey | None:
        # One thread fetches at a time. Whoever can go on with a key at hand does not wait for it.
        if self._is_due(kid) and self._lock.acquire(blocking=kid not in self._keys):
            try:
                if self._is_due(kid):
                    self._refresh()
            finally:
                self._lock.release()
        if not self._keys:
            raise ServiceUnavailable("token keys cannot be fetched from the auth service yet")
        return self._keys.get(kid)

    def _is_due(self, kid: str) -> bool:
        if self._fetched_at is None:
            return self._idle() > self.RETRY_SECONDS
        if self._clock.monotonic() - self._fetched_at > self.CACHE_SECONDS:
            return self._idle() > self.STALE_RETRY_SECONDS
        # Failed tries count too: invented kids must not become a stream of requests to an auth that is away.
        return kid not in self._keys and self._idle() > self.UNKNOWN_KID_SECONDS

    def _idle(self) -> float:
        """Seconds since the last try."""
        return math.inf if self._tried_at is None else self._clock.monotonic() - self._tried_at

    def _refresh(self) -> None:
        try:
            answer = requests.get(self._url, timeout=self._timeout, allow_redirects=False)
            answer.raise_for_status()
            self._keys = parse_jwks(answer.json())
            self._fetched_at = self._clock.monotonic()
        except (requests.RequestException, ValueError):
            pass  # the old keys stay; `find` says so when there are none
        finally:
            # Not before: until a try has ended, whoever needs its outcome must wait for the lock.
            self._tried_at = self._clock.monotonic()


def parse_jwks(document: Any) -> dict[str, Ed25519PublicKey]:
    """Ed25519 signing keys by `kid`; anything else in the set is ignored. Raises ValueError if it is no JWKS."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("not a JWKS")
    keys: dict[str, Ed25519PublicKey] = {}
    for entry in document["keys"]:
        if isinstance(entry, dict) and entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519":
            try:
                key = jwt.PyJWK(entry, algorithm=ALGORITHM).key
            except jwt.PyJWTError as error:
                raise ValueError("not a JWKS") from error
            if isinstance(key, Ed25519PublicKey) and _KID.fullmatch(str(entry.get("kid", ""))):
                keys[entry["kid"]] = key
    return keys


def to_jwk(kid: str, key: Ed25519PublicKey) -> dict[str, str]:
    jwk: dict[str, str] = jwt.algorithms.OKPAlgorithm.to_jwk(key, as_dict=True)
    return {**jwk, "kid": kid, "use": "sig", "alg": ALGORITHM}
