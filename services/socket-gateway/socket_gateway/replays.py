"""Replay sessions: whose they are, and which of them this replica follows.

Sessions have a pub/sub channel each, which is subscribed to while somebody here has joined one of theirs. So replays
cost nothing where nobody listens, and the player sees by Redis' own count whether anybody does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import redis

from aro.adapters.redis_client import RedisError
from aro.adapters.replay_sessions import ReplaySessions
from aro.contracts.names import REPLAY_ENDED, parse_channel
from aro.contracts.problems import UnknownChannel

_ENDED: Final = f"{REPLAY_ENDED} ".encode()


@dataclass(frozen=True, slots=True)
class Allowed:
    """Sessions of one account, with those of their channels that have state. Not `is_known`: nobody could say."""

    sessions: Mapping[str, set[str]] = field(default_factory=dict)
    is_known: bool = True


class Listeners(Protocol):
    """Who has joined channels of sessions."""

    @property
    def sessions(self) -> frozenset[str]: ...

    def end_session(self, session: str, detail: str) -> None:
        """Tell them, and send them nothing of it any more."""


class Replays:
    def __init__(self, client: redis.Redis, listeners: Listeners) -> None:
        self._sessions = ReplaySessions(client)
        self._listeners = listeners
        self.followed: frozenset[str] = frozenset()

    def allowed(self, subject: str, texts: Iterable[str]) -> Allowed:
        """What `subject` may name in `texts`. Asks Redis if a session is named: other greenlets may run."""
        named = sorted({session for text in texts if (session := _session_of(text)) is not None})
        if not named:
            return Allowed()
        try:
            owners = self._sessions.owners(named)
            own = [session for session in named if owners.get(session) == subject]
            return Allowed({session: self._sessions.channels(session) for session in own})
        except RedisError:
            return Allowed(is_known=False)

    @property
    def wanted(self) -> frozenset[str]:
        """What somebody here listens to."""
        return self._listeners.sessions

    def channels(self) -> set[str]:
        """Of the followed sessions, in Redis. Raises `RedisError`."""
        return {channel for session in self.followed for channel in self._sessions.channels(session)}

    def ended(self) -> frozenset[str]:
        """Followed sessions that are over. Raises `RedisError`."""
        return self.followed - self._sessions.owners(sorted(self.followed)).keys()

    def end(self, session: str, reason: str) -> None:
        self._listeners.end_session(session, f"the replay session {session} is over: {reason}")


def parse_ending(announcement: bytes) -> tuple[str, str] | None:
    """(session, why) if it says that one is over."""
    if not announcement.startswith(_ENDED):
        return None
    session, _, reason = announcement[len(_ENDED) :].decode(errors="replace").partition(" ")
    return session, reason


def _session_of(text: str) -> str | None:
    try:
        return parse_channel(text).session
    except UnknownChannel:
        return None
