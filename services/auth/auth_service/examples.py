"""What answers and requests look like, for the documents."""

from typing import Any, Final

from auth_service.answers import (
    AccessToken,
    Account,
    AccountPage,
    InvitationItem,
    InvitationList,
    Jwk,
    KeySet,
    ManagedAccount,
    NewInvitationItem,
    NewPersonalToken,
    PersonalTokenItem,
    PersonalTokenList,
    SessionItem,
    SessionList,
    TokenPair,
)

_ID: Final = "3f0c6f3b1c9f4f0f9a4c5f1f4f6c1a2b"
_OTHER_ID: Final = "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d"
_EMAIL: Final = "ann@example.com"
_THEN: Final = "2026-12-28T09:15:00.000+00:00"
_NOW: Final = "2026-12-29T10:00:00.000+00:00"
_LATER: Final = "2027-01-05T10:00:00.000+00:00"
_JWT: Final = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsiLCJ0eXAiOiJhdCtqd3QifQ.…"
)

REGISTRATION: Final[dict[str, Any]] = {"email": _EMAIL, "password": "a long walk by the sea"}
LOGIN: Final[dict[str, Any]] = REGISTRATION
REFRESH: Final[dict[str, Any]] = {
    "refresh_token": "aro_rt_3q2-7wAAAAAAAAAAAAAAAAJ5vS1c2VjcmV0LW9mLTMyLWJ5dGVzLWluLWJhc2U2NA"
}
PASSWORD_CHANGE: Final[dict[str, Any]] = {
    "current_password": "a long walk by the sea",
    "new_password": "a longer walk in the hills",
}
PERSONAL_TOKEN: Final[dict[str, Any]] = {"name": "my notebook", "scopes": ["read"], "expires_in_days": 90}
ACCOUNT_CHANGE: Final[dict[str, Any]] = {"verified": True}
INVITATION: Final[dict[str, Any]] = {"email": _EMAIL, "expires_in_hours": 72}

ACCOUNT: Final = Account(id=_ID, email=_EMAIL, role="user", verified=True, created_at=_THEN)
TOKEN_PAIR: Final = TokenPair(
    access_token=_JWT,
    refresh_token=REFRESH["refresh_token"],
    token_type="Bearer",  # noqa: S106 - a scheme
    expires_in=900,
    refresh_expires_in=604_800,
)
SESSIONS: Final = SessionList(
    [
        SessionItem(
            id=_OTHER_ID,
            created_at=_THEN,
            last_used_at=_NOW,
            expires_at=_LATER,
            user_agent="python-requests/2.32",
            address="203.0.113.7",
            current=True,
        )
    ]
)
NEW_PERSONAL_TOKEN: Final = NewPersonalToken(
    token="aro_pat_J5vS1c2VjcmV0LW9mLTMyLWJ5dGVzLWluLWJhc2U2NC",  # noqa: S106 - made up
    id=_OTHER_ID,
    name="my notebook",
    scopes=["read"],
    created_at=_NOW,
    expires_at="2027-03-29T10:00:00.000+00:00",
)
PERSONAL_TOKENS: Final = PersonalTokenList(
    [
        PersonalTokenItem(
            id=_OTHER_ID, name="my notebook", scopes=["read"], created_at=_THEN, expires_at=None, last_used_at=_NOW
        )
    ]
)
ACCESS_TOKEN: Final = AccessToken(access_token=_JWT, token_type="Bearer", expires_in=300, scope="read")  # noqa: S106
MANAGED_ACCOUNT: Final = ManagedAccount(
    id=_ID, email=_EMAIL, role="user", verified=True, disabled=False, created_at=_THEN, password_changed_at=_THEN
)
ACCOUNTS: Final = AccountPage([MANAGED_ACCOUNT], None)
NEW_INVITATION: Final = NewInvitationItem(
    invitation="aro_inv_J5vS1c2VjcmV0LW9mLTMyLWJ5dGVzLWluLWJhc2U2NC",
    id=_OTHER_ID,
    email=_EMAIL,
    expires_at=_LATER,
)
INVITATIONS: Final = InvitationList(
    [InvitationItem(id=_OTHER_ID, email=_EMAIL, created_by=_ID, created_at=_NOW, expires_at=_LATER)]
)
KEY_SET: Final = KeySet(
    [
        Jwk(
            kty="OKP",
            crv="Ed25519",
            x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",  # RFC 8037, appendix A.2
            kid="kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            use="sig",
            alg="EdDSA",
        )
    ]
)
