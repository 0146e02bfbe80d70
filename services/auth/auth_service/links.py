"""Addresses that log one browser in, for whoever may read the database anyway: an operator on the command line."""

import re
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.session_store import Session, SessionStore
from aro.adapters.user_store import User
from aro.contracts.problems import AccountDisabled, InvalidRequest
from auth_service.opaque_tokens import RefreshToken
from auth_service.sessions import HOUR_MS

MINUTES: Final = 10
"""Long enough to click on it, short enough to be of no use in a terminal's history."""
VISITOR: Final = "a link made on the command line"
_PAGE: Final = re.compile(r"https?://[^\s#?]+")


def login_link(user: User, sessions: SessionStore, clock: Clock, *, page: str, hours: int) -> str:
    """An address under `page` whose fragment, which browsers send to nobody, is the first refresh token of a session.

    Like every refresh token it is good once; unlike others it has to be used within `MINUTES`. From then on it is a
    session like any other, of `hours` at most, and shown a second time it ends that session.
    Raises `AccountDisabled`, or `InvalidRequest` for a page that is no URL.
    """
    if not _PAGE.fullmatch(page):
        raise InvalidRequest(f"{page[:80]!r} is no address of a page like http://127.0.0.1:8000")
    if user.disabled_ts is not None:
        raise AccountDisabled(f"{user.email} is disabled")
    token, now_ms = RefreshToken.new(), clock.now_ms()
    sessions.add(
        Session(
            id=token.session_id,
            user_id=user.id,
            current=token.digest,
            created_ts=now_ms,
            used_ts=now_ms,
            expires_ts=now_ms + MINUTES * 60_000,
            limit_ts=now_ms + hours * HOUR_MS,
            user_agent=VISITOR,
            address="",
        )
    )
    return f"{page.rstrip('/')}/#code={token.text}"
