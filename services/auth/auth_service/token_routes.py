"""The routes of personal access tokens."""

from typing import Any

from flask import Response, g, request

from aro.adapters.tokens import SCOPE_ACCOUNT, Principal
from aro.contracts.problems import (
    Conflict,
    NotAuthenticated,
    NotFound,
    TokenExpired,
    TokenMissing,
    TokenRevoked,
)
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.web import json_response, needs, public
from auth_service import examples
from auth_service.accounts import Accounts
from auth_service.answers import AccessToken, NewPersonalToken, PersonalTokenItem, PersonalTokenList
from auth_service.personal_tokens import PersonalTokens
from auth_service.routes import PREFIX
from auth_service.schemas import PersonalTokenSchema


def token_routes(tokens: PersonalTokens, accounts: Accounts, health: Health) -> Blueprint:
    blueprint = Blueprint("tokens", __name__, url_prefix=PREFIX, description="Personal access tokens, for scripts")
    blueprint.before_request(health.require_ready)

    @blueprint.post("/tokens")
    @needs(SCOPE_ACCOUNT)
    @blueprint.arguments(PersonalTokenSchema, example=examples.PERSONAL_TOKEN)
    @blueprint.answers(
        NewPersonalToken,
        "The token, shown this once",
        status=201,
        problems=(Conflict,),
        example=examples.NEW_PERSONAL_TOKEN,
    )
    def create_token(body: dict[str, Any]) -> Response:
        """Make a personal access token. It reads, and nothing else, unless `scopes` says more."""
        principal: Principal = g.principal
        made = tokens.create(
            accounts.find(principal.subject), body["name"], frozenset(body["scopes"]), body["expires_in_days"]
        )
        item = PersonalTokenItem.of(made.token)
        answer = NewPersonalToken(
            token=made.text,
            id=item.id,
            name=item.name,
            scopes=item.scopes,
            created_at=item.created_at,
            expires_at=item.expires_at,
        )
        return json_response(answer, 201)

    @blueprint.get("/tokens")
    @needs(SCOPE_ACCOUNT)
    @blueprint.answers(
        PersonalTokenList, "Personal tokens that are not revoked, the newest first", example=examples.PERSONAL_TOKENS
    )
    def list_tokens() -> Response:
        """The personal access tokens of the account."""
        principal: Principal = g.principal
        return json_response(PersonalTokenList([PersonalTokenItem.of(item) for item in tokens.of(principal.subject)]))

    # The length keeps /tokens/exchange out: it is no token, and has no DELETE.
    @blueprint.delete("/tokens/<string(length=32):token_id>")
    @needs(SCOPE_ACCOUNT)
    @blueprint.answers(None, "Revoked", status=204, problems=(NotFound,))
    def revoke_token(token_id: str) -> Response:
        """Revoke a personal access token: what it was exchanged for is refused within a second."""
        principal: Principal = g.principal
        tokens.revoke(token_id, principal.subject)
        return Response(status=204)

    @blueprint.post("/tokens/exchange")
    @public
    @blueprint.doc(security=[{"personalToken": []}])
    @blueprint.answers(
        AccessToken,
        "An access token of at most five minutes",
        problems=(TokenMissing, NotAuthenticated, TokenExpired, TokenRevoked),
        example=examples.ACCESS_TOKEN,
    )
    def exchange_token() -> Response:
        """Get an access token for a personal one.

        The api-gateway does it by itself; only scripts that open a socket need to. Send the personal token as
        `Authorization: Bearer aro_pat_…`.
        """
        exchanged = tokens.exchange(_bearer(request.headers.get("Authorization", "")))
        answer = AccessToken(
            access_token=exchanged.access_token,
            token_type="Bearer",  # noqa: S106 - a scheme
            expires_in=exchanged.seconds,
            scope=" ".join(exchanged.scopes),
        )
        return json_response(answer)

    return blueprint


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenMissing("send a personal access token as 'Authorization: Bearer aro_pat_…'")
    return token.strip()
