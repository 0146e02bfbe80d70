"""The routes of the auth service."""

from flask import Blueprint as PlainBlueprint
from flask import Response, g

from aro.adapters.clock import iso
from aro.adapters.tokens import ACCESS_SECONDS, Principal
from aro.adapters.user_store import User
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.web import json_response, public
from auth_service.accounts import Accounts
from auth_service.keys import SigningKey
from auth_service.schemas import LoginSchema, RegistrationSchema
from auth_service.throttle import Throttle

JWKS_SECONDS = 300
"""How long anyone may keep the key set: the least that a next key must be published before its first use."""


def account_routes(accounts: Accounts, throttle: Throttle, health: Health) -> Blueprint:
    blueprint = Blueprint("auth", __name__, url_prefix="/api/v1/auth", description="Accounts and access tokens")
    blueprint.before_request(health.require_ready)

    @blueprint.post("/register")
    @public
    @blueprint.arguments(RegistrationSchema)
    @throttle.registrations
    def register(body: dict[str, str]) -> Response:
        """Make an account. It can log in at once."""
        return json_response(_public_account(accounts.register(body["email"], body["password"])), 201)

    @blueprint.post("/login")
    @public
    @blueprint.arguments(LoginSchema)
    @throttle.logins
    def login(body: dict[str, str]) -> Response:
        """Get an access token for an e-mail and its password."""
        token = accounts.login(body["email"], body["password"])
        return json_response({"access_token": token, "token_type": "Bearer", "expires_in": ACCESS_SECONDS})

    @blueprint.get("/me")
    def me() -> Response:
        """The account that the access token speaks for."""
        principal: Principal = g.principal
        return json_response(_public_account(accounts.find(principal.subject)))

    return blueprint


def key_routes(key: SigningKey) -> PlainBlueprint:
    blueprint = PlainBlueprint("keys", __name__)

    @blueprint.get("/.well-known/jwks.json")
    @public
    def jwks() -> Response:
        response = json_response(key.jwks())
        response.headers["Cache-Control"] = f"public, max-age={JWKS_SECONDS}"
        return response

    return blueprint


def _public_account(user: User) -> dict[str, str]:
    return {"id": user.id, "email": user.email, "role": user.role, "created_at": iso(user.created_ts)}
