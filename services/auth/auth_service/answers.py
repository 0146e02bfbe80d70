"""What the routes answer."""

from typing import Annotated

from msgspec import Meta, Struct

from aro.adapters.clock import iso
from aro.adapters.invitation_store import Invitation
from aro.adapters.personal_token_store import PersonalToken
from aro.adapters.session_store import Session
from aro.adapters.user_store import User

Time = Annotated[str, Meta(description="ISO 8601, UTC", extra_json_schema={"format": "date-time"})]
Seconds = Annotated[int, Meta(ge=0)]


class Account(Struct, frozen=True, kw_only=True):
    """One's own account."""

    id: str
    email: str
    role: str
    verified: bool
    created_at: Time

    @classmethod
    def of(cls, user: User) -> "Account":
        return cls(
            id=user.id,
            email=user.email,
            role=user.role,
            verified=user.verified_ts is not None,
            created_at=iso(user.created_ts),
        )


class ManagedAccount(Struct, frozen=True, kw_only=True):
    """An account as administrators see it."""

    id: str
    email: str
    role: str
    verified: bool
    disabled: bool
    created_at: Time
    password_changed_at: Time

    @classmethod
    def of(cls, user: User) -> "ManagedAccount":
        return cls(
            id=user.id,
            email=user.email,
            role=user.role,
            verified=user.verified_ts is not None,
            disabled=user.disabled_ts is not None,
            created_at=iso(user.created_ts),
            password_changed_at=iso(user.password_ts),
        )


class AccountPage(Struct, frozen=True):
    """`next_cursor` is null on the last page."""

    items: list[ManagedAccount]
    next_cursor: str | None


class TokenPair(Struct, frozen=True, kw_only=True):
    """`expires_in` is the life of the access token; the refresh token is good once, for `refresh_expires_in`."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: Seconds
    refresh_expires_in: Seconds


class AccessToken(Struct, frozen=True, kw_only=True):
    """`scope` is what the personal token behind it may do, separated by spaces."""

    access_token: str
    token_type: str
    expires_in: Seconds
    scope: str


class SessionItem(Struct, frozen=True, kw_only=True):
    """A log-in. `expires_at` is when it ends if it is not refreshed; `current` marks the one that asks."""

    id: str
    created_at: Time
    last_used_at: Time
    expires_at: Time
    user_agent: str
    address: str
    current: bool

    @classmethod
    def of(cls, session: Session, asking: str) -> "SessionItem":
        return cls(
            id=session.id,
            created_at=iso(session.created_ts),
            last_used_at=iso(session.used_ts),
            expires_at=iso(session.expires_ts),
            user_agent=session.user_agent,
            address=session.address,
            current=session.id == asking,
        )


class SessionList(Struct, frozen=True):
    items: list[SessionItem]


class Ended(Struct, frozen=True):
    """How many sessions were ended."""

    sessions: int


class PersonalTokenItem(Struct, frozen=True, kw_only=True):
    """`last_used_at` is right to a minute."""

    id: str
    name: str
    scopes: list[str]
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None

    @classmethod
    def of(cls, token: PersonalToken) -> "PersonalTokenItem":
        return cls(
            id=token.id,
            name=token.name,
            scopes=list(token.scopes),
            created_at=iso(token.created_ts),
            expires_at=_maybe(token.expires_ts),
            last_used_at=_maybe(token.used_ts),
        )


class PersonalTokenList(Struct, frozen=True):
    items: list[PersonalTokenItem]


class NewPersonalToken(Struct, frozen=True, kw_only=True):
    """`token` is shown this once."""

    token: str
    id: str
    name: str
    scopes: list[str]
    created_at: Time
    expires_at: Time | None


class InvitationItem(Struct, frozen=True, kw_only=True):
    """`email` null: whoever holds it may use it. `created_by` is an account's id, or ``command line``."""

    id: str
    email: str | None
    created_by: str
    created_at: Time
    expires_at: Time

    @classmethod
    def of(cls, invitation: Invitation) -> "InvitationItem":
        return cls(
            id=invitation.id,
            email=invitation.email,
            created_by=invitation.created_by,
            created_at=iso(invitation.created_ts),
            expires_at=iso(invitation.expires_ts),
        )


class InvitationList(Struct, frozen=True):
    items: list[InvitationItem]


class NewInvitationItem(Struct, frozen=True, kw_only=True):
    """`invitation` is shown this once."""

    invitation: str
    id: str
    email: str | None
    expires_at: Time


class Jwk(Struct, frozen=True):
    """RFC 8037: an Ed25519 public key."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class KeySet(Struct, frozen=True):
    """RFC 7517: the key in use, the one that will follow it, and former ones that tokens may still be signed by."""

    keys: list[Jwk]


def _maybe(ts: int | None) -> str | None:
    return None if ts is None else iso(ts)
