"""Personal access tokens: what a script shows instead of a password, exchanged for short access tokens."""

import uuid
from dataclasses import dataclass, field
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.personal_token_store import PersonalToken, PersonalTokenStore
from aro.adapters.tokens import ROLE_ADMIN, SCOPE_ADMIN, SCOPE_READ, SCOPE_WRITE
from aro.adapters.user_store import User, UserStore
from aro.contracts.problems import Conflict, Forbidden, NotAuthenticated, NotFound, TokenExpired, TokenRevoked
from aro.runtime.logs import get_logger
from auth_service import metrics
from auth_service.endings import Endings
from auth_service.opaque_tokens import PERSONAL_PREFIX, digest, new_token
from auth_service.signing import Signer

log = get_logger(__name__)

SCOPES: Final = (SCOPE_READ, SCOPE_WRITE, SCOPE_ADMIN)
"""Never the account itself: a script's token makes no other tokens and changes no password."""
MOST_DAYS: Final = 365
EXCHANGED_SECONDS: Final = 300
DAY_MS: Final = 86_400_000
TOUCH_MS: Final = 60_000
"""`used_ts` is right to a minute, so that a busy script is not a stream of writes."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """`text` is shown once: only its digest is kept."""

    token: PersonalToken
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Exchanged:
    access_token: str = field(repr=False)
    seconds: int
    scopes: tuple[str, ...]


class PersonalTokens:
    def __init__(
        self,
        store: PersonalTokenStore,
        users: UserStore,
        endings: Endings,
        signer: Signer,
        clock: Clock,
        *,
        per_user: int,
    ) -> None:
        self._store = store
        self._users = users
        self._endings = endings
        self._signer = signer
        self._clock = clock
        self._per_user = per_user

    def create(self, user: User, name: str, scopes: frozenset[str], days: int | None) -> NewToken:
        """Raises `Conflict` at the limit per account, `Forbidden` for a scope that the account has no use for."""
        if SCOPE_ADMIN in scopes and user.role != ROLE_ADMIN:
            raise Forbidden("the scope admin needs the role admin")
        if len(self._store.of(user.id)) >= self._per_user:
            raise Conflict(f"this account has {self._per_user} personal tokens, which is the limit; revoke one first")
        text = new_token(PERSONAL_PREFIX)
        now_ms = self._clock.now_ms()
        token = PersonalToken(
            id=uuid.uuid4().hex,
            user_id=user.id,
            name=name,
            digest=digest(text),
            scopes=tuple(scope for scope in SCOPES if scope in scopes),
            created_ts=now_ms,
            expires_ts=None if days is None else now_ms + days * DAY_MS,
        )
        self._store.add(token)
        log.info("personal access made", **{"event.action": "token_created", "user.id": user.id, "pat.id": token.id})
        return NewToken(token, text)

    def of(self, user_id: str) -> list[PersonalToken]:
        """The newest first, expired ones too."""
        return self._store.of(user_id)

    def revoke(self, token_id: str, user_id: str) -> None:
        """Raises `NotFound` unless it is one of this account."""
        if not self._endings.revoke_token(token_id, user_id=user_id):
            raise NotFound("this account has no such personal token")
        log.info("personal access ended", **{"event.action": "token_revoked", "user.id": user_id, "pat.id": token_id})

    def is_live(self, token_id: str, user_id: str) -> bool:
        token = self._store.find(token_id)
        return token is not None and token.user_id == user_id and not self._is_over(token)

    def exchange(self, text: str) -> Exchanged:
        """An access token for what the personal token `text` may do.

        Raises `NotAuthenticated`, `TokenExpired` or `TokenRevoked`.
        """
        try:
            exchanged = self._exchange(text)
        except NotAuthenticated:
            metrics.exchanges.labels("refused").inc()
            raise
        metrics.exchanges.labels("ok").inc()
        return exchanged

    def _exchange(self, text: str) -> Exchanged:
        now_ms = self._clock.now_ms()
        token = self._store.by_digest(digest(text)) if text.startswith(PERSONAL_PREFIX) else None
        if token is None:
            raise NotAuthenticated("this is not a personal access token of this platform")
        if token.revoked_ts is not None:
            raise TokenRevoked("this personal access token was revoked")
        if self._is_over(token):
            raise TokenExpired("this personal access token has expired")
        user = self._users.by_id(token.user_id)
        if user is None or user.disabled_ts is not None:
            raise TokenRevoked("the account of this personal access token cannot be used any more")
        if token.used_ts is None or now_ms - token.used_ts >= TOUCH_MS:
            self._store.touch(token.id, now_ms)
        left = EXCHANGED_SECONDS if token.expires_ts is None else (token.expires_ts - now_ms) // 1000
        seconds = max(1, min(EXCHANGED_SECONDS, left))
        access = self._signer.issue(
            user.id, user.role, session=token.id, lifetime=seconds, scopes=frozenset(token.scopes)
        )
        return Exchanged(access, seconds, token.scopes)

    def _is_over(self, token: PersonalToken) -> bool:
        is_expired = token.expires_ts is not None and token.expires_ts <= self._clock.now_ms()
        return token.revoked_ts is not None or is_expired
