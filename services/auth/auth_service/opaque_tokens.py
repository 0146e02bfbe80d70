"""Opaque tokens: random text for its owner, a digest for the database. Pure, but for the randomness.

A refresh token is ``aro_rt_<handle><secret>``. All tokens of a session share the handle, whose digest is the id of
the session; so a token names its session, and a token of a session that is not good any more is known to have been
given out once: nobody else can know the handle. Its secret changes at each use.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

REFRESH_PREFIX: Final = "aro_rt_"
PERSONAL_PREFIX: Final = "aro_pat_"
INVITATION_PREFIX: Final = "aro_inv_"
_HANDLE_BYTES: Final = 16
_SECRET_BYTES: Final = 32
_HANDLE_CHARS: Final = 22
_SECRET_CHARS: Final = 43
_REFRESH: Final = re.compile(rf"{REFRESH_PREFIX}([A-Za-z0-9_-]{{{_HANDLE_CHARS}}})([A-Za-z0-9_-]{{{_SECRET_CHARS}}})")
_ID_CHARS: Final = 32


def new_token(prefix: str) -> str:
    """256 random bits behind `prefix`."""
    return prefix + secrets.token_urlsafe(_SECRET_BYTES)


def digest(text: str) -> str:
    """SHA-256: enough for what is random and long."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_salt() -> str:
    return secrets.token_hex(_SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    handle: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "RefreshToken":
        return cls(secrets.token_urlsafe(_HANDLE_BYTES), secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken | None":
        found = _REFRESH.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    @property
    def text(self) -> str:
        return f"{REFRESH_PREFIX}{self.handle}{self.secret}"

    @property
    def session_id(self) -> str:
        return digest(self.handle)[:_ID_CHARS]

    @property
    def digest(self) -> str:
        return digest(self.text)

    def successor(self, salt: str) -> "RefreshToken":
        """The token that replaces this one. Asked twice with one salt it is the same token, so that two refreshes at
        once need no second branch of the session; without this token the salt tells nothing about it."""
        made = hmac.digest(bytes.fromhex(salt), self.secret.encode(), "sha256")
        return RefreshToken(self.handle, base64.urlsafe_b64encode(made).rstrip(b"=").decode())
