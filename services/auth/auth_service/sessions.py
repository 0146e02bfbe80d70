"""Log-ins: opened, refreshed, listed, ended."""

from dataclasses import dataclass, field, replace
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.session_store import Session, SessionStore
from aro.contracts.problems import NotAuthenticated, NotFound, ServiceUnavailable, TokenExpired, TokenRevoked
from aro.runtime.logs import get_logger
from auth_service import metrics
from auth_service.endings import Endings
from auth_service.opaque_tokens import RefreshToken, new_salt
from auth_service.rotation import Verdict, judge, rotated

log = get_logger(__name__)

HOUR_MS: Final = 3_600_000
MAX_USER_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request came from, as its account's owner may want to see it."""

    user_agent: str
    address: str

    @classmethod
    def of(cls, user_agent: str, address: str) -> "Visitor":
        """`user_agent` is what a client says about itself: bounded, and free of control characters."""
        printable = "".join(character for character in user_agent if character.isprintable())
        return cls(printable[:MAX_USER_AGENT], address)


@dataclass(frozen=True, slots=True)
class Opened:
    """`seconds` is how long the refresh token is good if nobody uses it."""

    session: Session
    refresh_token: str = field(repr=False)
    seconds: int


class Sessions:
    def __init__(
        self,
        store: SessionStore,
        endings: Endings,
        clock: Clock,
        *,
        hours: int,
        idle_hours: int,
        per_user: int,
    ) -> None:
        self._store = store
        self._endings = endings
        self._clock = clock
        self._limit_ms = hours * HOUR_MS
        self._idle_ms = idle_hours * HOUR_MS
        self._per_user = per_user

    def open(self, user_id: str, visitor: Visitor) -> Opened:
        """A new session; beyond the limit per account, the longest unused one ends for it."""
        token = RefreshToken.new()
        now_ms = self._clock.now_ms()
        session = Session(
            id=token.session_id,
            user_id=user_id,
            current=token.digest,
            created_ts=now_ms,
            used_ts=now_ms,
            expires_ts=now_ms + min(self._idle_ms, self._limit_ms),
            limit_ts=now_ms + self._limit_ms,
            user_agent=visitor.user_agent,
            address=visitor.address,
        )
        self._store.add(session)
        self._endings.end_sessions(user_id, "too_many", but=(session.id,), spare=self._per_user)
        return _opened(session, token, now_ms)

    def refresh(self, text: str, visitor: Visitor) -> Opened:
        """The session of a refresh token, and the token that replaces it.

        Raises
        ------
        NotAuthenticated
            If it is no refresh token of ours.
        TokenExpired, TokenRevoked
            If its session has come to its end; `TokenRevoked` also if the token was used before, which ends it.
        """
        token = RefreshToken.parse(text)
        if token is None:
            raise self._refused(NotAuthenticated("this is not a refresh token of this platform"))
        # Whoever loses against another refresh is judged anew; it cannot lose twice, for its token is not current then.
        opened = self._judged(token, visitor) or self._judged(token, visitor)
        if opened is None:
            raise ServiceUnavailable("the session is being changed by others; try again")
        return opened

    def logout(self, session_id: str, user_id: str) -> None:
        """Nothing happens if it has ended already."""
        if self._endings.end_session(session_id, "logout", user_id=user_id):
            log.info("logout", **{"event.action": "session_logout", "user.id": user_id, "session.id": session_id})

    def logout_all(self, user_id: str) -> int:
        """How many sessions of the account were ended."""
        count = self._endings.end_sessions(user_id, "logout_all")
        log.info("logout from everywhere", sessions=count, **{"event.action": "session_logout", "user.id": user_id})
        return count

    def revoke(self, session_id: str, user_id: str) -> None:
        """Raises `NotFound` unless it is a live session of this account."""
        if not self._endings.end_session(session_id, "revoked", user_id=user_id):
            raise NotFound("this account has no such session")
        log.info("session revoked", **{"event.action": "session_revoked", "user.id": user_id, "session.id": session_id})

    def of(self, user_id: str) -> list[Session]:
        """Live sessions, the one used last first."""
        return self._store.live_of(user_id, self._clock.now_ms())

    def is_live(self, session_id: str, user_id: str) -> bool:
        session = self._store.find(session_id)
        return session is not None and session.user_id == user_id and session.is_live(self._clock.now_ms())

    def _judged(self, token: RefreshToken, visitor: Visitor) -> Opened | None:
        """None if another refresh came first."""
        session = self._store.find(token.session_id)
        if session is None:
            raise self._refused(NotAuthenticated("the session of this refresh token is not known"))
        now_ms = self._clock.now_ms()
        match judge(session, token.digest, now_ms):
            case Verdict.ROTATE:
                return self._rotate(session, token, visitor, now_ms)
            case Verdict.REPEAT:
                assert session.rotation is not None
                metrics.refreshes.labels("repeated").inc()
                return _opened(session, token.successor(session.rotation.salt), now_ms)
            case Verdict.EXPIRED:
                raise self._refused(TokenExpired("the session has expired; log in again"))
            case Verdict.ENDED:
                raise self._refused(TokenRevoked("the session has ended; log in again"))
            case Verdict.REUSED:
                raise self._reused(session.id)

    def _rotate(self, session: Session, token: RefreshToken, visitor: Visitor, now_ms: int) -> Opened | None:
        salt = new_salt()
        successor = token.successor(salt)
        after = rotated(session, successor.digest, salt, now_ms=now_ms, idle_ms=self._idle_ms)
        after = replace(after, user_agent=visitor.user_agent, address=visitor.address)
        if not self._store.rotate(after, used=token.digest):
            return None
        metrics.refreshes.labels("ok").inc()
        return _opened(after, successor, now_ms)

    def _reused(self, session_id: str) -> TokenRevoked:
        self._endings.end_session(session_id, "reuse")
        metrics.refreshes.labels("reused").inc()
        log.warning(
            "a used refresh token was shown again; its session is ended",
            **{"event.action": "authn_token_reuse", "session.id": session_id},
        )
        return TokenRevoked("this refresh token was used before, so its session was ended; log in again")

    def _refused(self, problem: NotAuthenticated) -> NotAuthenticated:
        metrics.refreshes.labels("refused").inc()
        return problem


def _opened(session: Session, token: RefreshToken, now_ms: int) -> Opened:
    return Opened(session, token.text, max(1, (session.expires_ts - now_ms) // 1000))
