"""Where sessions and personal tokens come to their end: in MongoDB first, and then everybody is told.

Told at once, and again until nobody can have missed it.
"""

from collections.abc import Collection
from typing import Final

import redis

from aro.adapters import revocations
from aro.adapters.clock import Clock
from aro.adapters.personal_token_store import PersonalTokenStore
from aro.adapters.session_store import SessionStore
from aro.runtime.logs import get_logger
from auth_service import metrics

log = get_logger(__name__)

REPEAT_SECONDS: Final = revocations.MEMORY_SECONDS + 60
"""Longer than any access token of what ended then can live."""


class Endings:
    """`client` None: nobody is told by this process."""

    def __init__(
        self, client: redis.Redis | None, sessions: SessionStore, tokens: PersonalTokenStore, clock: Clock
    ) -> None:
        self._redis = client
        self._sessions = sessions
        self._tokens = tokens
        self._clock = clock

    def end_session(self, session_id: str, reason: str, *, user_id: str | None = None) -> bool:
        """False if there is no such live session, or, given `user_id`, none of that account."""
        if not self._sessions.end(session_id, reason, now_ms=self._clock.now_ms(), user_id=user_id):
            return False
        self._ended([session_id], reason)
        return True

    def end_sessions(self, user_id: str, reason: str, *, but: Collection[str] = (), spare: int = 0) -> int:
        """How many sessions of the account were ended: all, `but` these, and `spare` the so many used last."""
        now_ms = self._clock.now_ms()
        live = [session.id for session in self._sessions.live_of(user_id, now_ms)[spare:] if session.id not in but]
        if live:
            self._sessions.end_many(live, reason, now_ms=now_ms)
            self._ended(live, reason)
        return len(live)

    def revoke_token(self, token_id: str, *, user_id: str) -> bool:
        """False unless it is a personal token of this account that was not revoked yet."""
        if not self._tokens.revoke(token_id, user_id=user_id, now_ms=self._clock.now_ms()):
            return False
        self._tell([token_id])
        return True

    def revoke_tokens(self, user_id: str, *, with_scope: str | None = None) -> None:
        """All personal tokens of the account, or those that have a scope."""
        for token in self._tokens.of(user_id):
            if with_scope is None or with_scope in token.scopes:
                self.revoke_token(token.id, user_id=user_id)

    def repeat(self) -> None:
        """Tell what Redis does not know, because it was away or forgot it. Raises `MongoError`."""
        if self._redis is None:
            return
        now_ms = self._clock.now_ms()
        since_ms = now_ms - REPEAT_SECONDS * 1000
        ended = {**self._sessions.ended_since(since_ms), **self._tokens.revoked_since(since_ms)}
        at = {name: ended_ts / 1000 for name, ended_ts in ended.items()}
        try:
            revocations.announce_again(self._redis, at, now=now_ms / 1000)
        except redis.RedisError as error:
            log.debug("endings wait for redis", **{"error.type": type(error).__name__})

    def _ended(self, session_ids: list[str], reason: str) -> None:
        metrics.sessions_ended.labels(reason).inc(len(session_ids))
        self._tell(session_ids)

    def _tell(self, ids: list[str]) -> None:
        if self._redis is None:
            return
        try:
            for ended in ids:
                revocations.announce(self._redis, ended, now=self._clock.now_ms() / 1000)
        except redis.RedisError as error:
            metrics.announcements_failed.inc()
            log.warning("what ended will be told later", **{"error.type": type(error).__name__})
