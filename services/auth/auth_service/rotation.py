"""What a refresh token is good for. Pure: the whole state machine is `judge` and `rotated`."""

from dataclasses import replace
from enum import Enum
from typing import Final

from aro.adapters.session_store import Rotation, Session

GRACE_MS: Final = 10_000
"""How long the token before the current one still gets the current one: a client that asks twice at once, or whose
answer was lost, must not be logged out."""


class Verdict(Enum):
    ROTATE = "rotate"
    REPEAT = "repeat"
    """The exchange was made already: answer it again."""
    REUSED = "reused"
    """A token that was given up long ago, or an invention by somebody who has held one: the session must end."""
    EXPIRED = "expired"
    ENDED = "ended"


def judge(session: Session, digest: str, now_ms: int) -> Verdict:
    """What to do when a refresh token of `session` with this `digest` is shown."""
    if session.ended_ts is not None:
        return Verdict.ENDED
    if now_ms >= session.expires_ts:
        return Verdict.EXPIRED
    if digest == session.current:
        return Verdict.ROTATE
    rotation = session.rotation
    if rotation is not None and digest == rotation.previous and now_ms - rotation.at_ts <= GRACE_MS:
        return Verdict.REPEAT
    return Verdict.REUSED


def rotated(session: Session, successor: str, salt: str, *, now_ms: int, idle_ms: int) -> Session:
    """`session` after its current token was exchanged for the one with the digest `successor`."""
    return replace(
        session,
        current=successor,
        rotation=Rotation(previous=session.current, salt=salt, at_ts=now_ms),
        used_ts=now_ms,
        expires_ts=min(session.limit_ts, now_ms + idle_ms),
    )
