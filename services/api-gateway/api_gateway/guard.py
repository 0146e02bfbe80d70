"""Who a request speaks for: access tokens and personal tokens, verified once and remembered until they end.

Whether the session behind a token was ended is asked at every request, of the copy that `Revocations` holds in memory.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api_gateway.memory import Memory
from aro.adapters.clock import Clock
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import MAX_TOKEN_CHARS, Principal, TokenVerifier
from aro.contracts.problems import NotAuthenticated, TokenMissing

PERSONAL_PREFIX: Final = "aro_pat_"
CAPACITY: Final = 20_000
"""Tokens remembered: about 1 KB each."""
MARGIN_SECONDS: Final = 30
"""A personal token is exchanged again this long before the access token behind it ends, so that it outlives the call
that it is sent with."""
REFUSED_SECONDS: Final = 10
"""How long a refused personal token is refused without asking auth again."""
_STRIPES: Final = 64

Exchange = Callable[[str], str]
"""Personal token → access token. Raises `NotAuthenticated` kinds, `RateLimited` or `ServiceUnavailable`."""


@dataclass(frozen=True, slots=True)
class Access:
    """A verified caller, and the access token that services get to see."""

    principal: Principal
    token: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """`until` is UTC epoch milliseconds."""

    until: int
    access: Access


@dataclass(frozen=True, slots=True)
class _Refusal:
    until: int
    kind: type[NotAuthenticated]
    detail: str


class Guard:
    """Safe for use by many threads. The keys of its memory are SHA-256 digests: it holds no personal token."""

    def __init__(
        self,
        verifier: TokenVerifier,
        revocations: Revocations,
        *,
        exchange: Exchange,
        clock: Clock,
        capacity: int = CAPACITY,
    ) -> None:
        self._verifier = verifier
        self._revocations = revocations
        self._exchange = exchange
        self._clock = clock
        self._verified: Memory[bytes, _Entry] = Memory(capacity)
        self._refused: Memory[bytes, _Refusal] = Memory(capacity)
        self._exchanging = [threading.Lock() for _ in range(_STRIPES)]

    def principal(self, authorization: str) -> Principal:
        """The caller behind an ``Authorization`` header, whose session has not ended.

        Raises `TokenMissing`, `TokenExpired`, `TokenRevoked` or `NotAuthenticated`; `ServiceUnavailable` or
        `RateLimited` when a personal token cannot be exchanged now.
        """
        return self.access(authorization).principal

    def access(self, authorization: str) -> Access:
        """As `principal`, with the access token to send on."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenMissing("send an access token as 'Authorization: Bearer <token>'")
        access = self._of(token.strip())
        self._revocations.refuse(access.principal)
        return access

    def at_hand(self, authorization: str) -> Access | None:
        """As `access`, but None if that would have to wait or refuses."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or len(token) > MAX_TOKEN_CHARS:
            return None
        access = self._remembered(_digest(token.strip()))
        try:
            if access is not None:
                self._revocations.refuse(access.principal)
        except NotAuthenticated:
            return None
        return access

    def verify(self, token: str) -> Principal:
        """As a `TokenVerifier` does, for the frame, which asks about revocations itself."""
        return self._of(token).principal

    def _of(self, token: str) -> Access:
        if len(token) > MAX_TOKEN_CHARS:
            raise NotAuthenticated("the access token is too long")
        digest = _digest(token)
        return self._remembered(digest) or self._learn(token, digest)

    def _remembered(self, digest: bytes) -> Access | None:
        entry = self._verified.get(digest)
        return entry.access if entry is not None and entry.until > self._clock.now_ms() else None

    def _learn(self, token: str, digest: bytes) -> Access:
        if token.startswith(PERSONAL_PREFIX):
            # However many requests arrive with one personal token, auth is asked once.
            with self._exchanging[digest[0] % _STRIPES]:
                return self._remembered(digest) or self._exchanged(token, digest)
        return self._remember(digest, Access(self._verifier.verify(token), token))

    def _exchanged(self, token: str, digest: bytes) -> Access:
        refusal = self._refused.get(digest)
        if refusal is not None and refusal.until > self._clock.now_ms():
            raise refusal.kind(refusal.detail)
        try:
            access_token = self._exchange(token)
            access = Access(self._verifier.verify(access_token), access_token)
        except NotAuthenticated as error:
            until = self._clock.now_ms() + REFUSED_SECONDS * 1000
            self._refused.put(digest, _Refusal(until, type(error), error.detail))
            raise
        return self._remember(digest, access, margin=MARGIN_SECONDS)

    def _remember(self, digest: bytes, access: Access, *, margin: int = 0) -> Access:
        self._verified.put(digest, _Entry((access.principal.expires_at - margin) * 1000, access))
        return access


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
