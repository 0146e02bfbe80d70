"""The routes of accounts and sessions, and the key set."""

from typing import Final

from flask import Response, g, request

from aro.adapters.tokens import ACCESS_SECONDS, SCOPE_ACCOUNT, Principal
from aro.adapters.user_store import User
from aro.contracts.problems import (
    AccountDisabled,
    AccountUnverified,
    BadCredentials,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    RateLimited,
    TokenExpired,
    TokenRevoked,
)
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.web import client_address, json_response, needs, public
from auth_service import examples
from auth_service.accounts import Accounts
from auth_service.answers import Account, Ended, KeySet, SessionItem, SessionList, TokenPair
from auth_service.keyring import KeyRing
from auth_service.schemas import LoginSchema, PasswordChangeSchema, RefreshSchema, RegistrationSchema
from auth_service.sessions import Opened, Sessions, Visitor
from auth_service.signing import Signer
from auth_service.throttle import Throttle

PREFIX: Final = "/api/v1/auth"
JWKS_SECONDS: Final = 300
"""How long HTTP caches may keep the key set; verifiers keep what they know for longer, see `auth_service.keys`."""


def account_routes(accounts: Accounts, signer: Signer, throttle: Throttle, health: Health) -> Blueprint:
    blueprint = Blueprint("accounts", __name__, url_prefix=PREFIX, description="Accounts and access tokens")
    blueprint.before_request(health.require_ready)

    def pair(found: tuple[User, Opened]) -> Response:
        return json_response(_pair(signer, *found))

    @blueprint.post("/register")
    @public
    @blueprint.arguments(RegistrationSchema, example=examples.REGISTRATION)
    @blueprint.answers(
        Account, "The account", status=201, problems=(Conflict, Forbidden, RateLimited), example=examples.ACCOUNT
    )
    @throttle.registrations
    def register(body: dict[str, str]) -> Response:
        """Make an account.

        It can log in at once, unless the platform wants accounts verified by an administrator first.
        """
        user = accounts.register(body["email"], body["password"], body["invitation"])
        return json_response(Account.of(user), 201)

    @blueprint.post("/login")
    @public
    @blueprint.arguments(LoginSchema, example=examples.LOGIN)
    @blueprint.answers(
        TokenPair,
        "Tokens",
        problems=(BadCredentials, AccountUnverified, AccountDisabled, RateLimited),
        example=examples.TOKEN_PAIR,
    )
    @throttle.logins
    def login(body: dict[str, str]) -> Response:
        """Get tokens for an e-mail and its password: a new session."""
        return pair(accounts.login(body["email"], body["password"], _visitor()))

    @blueprint.post("/refresh")
    @public
    @blueprint.arguments(RefreshSchema, example=examples.REFRESH)
    @blueprint.answers(
        TokenPair, "New tokens", problems=(NotAuthenticated, TokenExpired, TokenRevoked), example=examples.TOKEN_PAIR
    )
    def refresh(body: dict[str, str]) -> Response:
        """Get new tokens for a refresh token.

        Each refresh token is good once. For ten seconds it gets the same answer again, so that two refreshes at once do
        no harm; shown later, it ends its session, for then somebody else may have it.
        """
        return pair(accounts.refresh(body["refresh_token"], _visitor()))

    @blueprint.get("/me")
    @blueprint.answers(Account, "The account", example=examples.ACCOUNT)
    def me() -> Response:
        """The account that the access token speaks for."""
        return json_response(Account.of(accounts.find(_caller().subject)))

    @blueprint.post("/change-password")
    @needs(SCOPE_ACCOUNT)
    @blueprint.arguments(PasswordChangeSchema, example=examples.PASSWORD_CHANGE)
    @blueprint.answers(None, "Changed", status=204, problems=(InvalidRequest, Conflict, RateLimited))
    def change_password(body: dict[str, str]) -> Response:
        """Choose another password. All other sessions end; personal tokens stay."""
        caller = _caller()
        accounts.change_password(caller.subject, body["current_password"], body["new_password"], session=caller.session)
        return Response(status=204)

    return blueprint


def session_routes(sessions: Sessions, health: Health) -> Blueprint:
    blueprint = Blueprint("sessions", __name__, url_prefix=PREFIX, description="Log-ins of one's own account")
    blueprint.before_request(health.require_ready)

    @blueprint.post("/logout")
    @needs(SCOPE_ACCOUNT)
    @blueprint.answers(None, "Ended", status=204)
    def logout() -> Response:
        """End this session: its tokens are refused everywhere within a second, and its sockets closed."""
        caller = _caller()
        sessions.logout(caller.session, caller.subject)
        return Response(status=204)

    @blueprint.post("/logout-all")
    @needs(SCOPE_ACCOUNT)
    @blueprint.answers(Ended, "How many sessions were ended", example=Ended(2))
    def logout_all() -> Response:
        """End all sessions of the account, this one too. Personal tokens stay."""
        return json_response(Ended(sessions.logout_all(_caller().subject)))

    @blueprint.get("/sessions")
    @needs(SCOPE_ACCOUNT)
    @blueprint.answers(SessionList, "Live sessions, the one used last first", example=examples.SESSIONS)
    def list_sessions() -> Response:
        """Where the account is logged in."""
        caller = _caller()
        found = sessions.of(caller.subject)
        return json_response(SessionList([SessionItem.of(session, caller.session) for session in found]))

    @blueprint.delete("/sessions/<session_id>")
    @needs(SCOPE_ACCOUNT)
    @blueprint.answers(None, "Ended", status=204, problems=(NotFound,))
    def revoke_session(session_id: str) -> Response:
        """End one session of the account."""
        sessions.revoke(session_id, _caller().subject)
        return Response(status=204)

    return blueprint


def key_routes(keys: KeyRing) -> Blueprint:
    blueprint = Blueprint("keys", __name__, description="What access tokens are verified with")

    @blueprint.get("/.well-known/jwks.json")
    @public
    @blueprint.answers(KeySet, "The public keys", headers=("Cache-Control",), example=examples.KEY_SET)
    def jwks() -> Response:
        """The key set (RFC 7517) that access tokens are verified with."""
        response = json_response(keys.jwks())
        response.headers["Cache-Control"] = f"public, max-age={JWKS_SECONDS}"
        return response

    return blueprint


def _pair(signer: Signer, user: User, opened: Opened) -> TokenPair:
    seconds = min(ACCESS_SECONDS, opened.seconds)
    return TokenPair(
        access_token=signer.issue(user.id, user.role, session=opened.session.id, lifetime=seconds),
        refresh_token=opened.refresh_token,
        token_type="Bearer",  # noqa: S106 - a scheme
        expires_in=seconds,
        refresh_expires_in=opened.seconds,
    )


def _visitor() -> Visitor:
    return Visitor.of(request.headers.get("User-Agent", ""), client_address())


def _caller() -> Principal:
    principal: Principal = g.principal
    return principal
