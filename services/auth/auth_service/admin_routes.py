"""The routes of administrators: accounts and invitations."""

from typing import Any

from flask import Response, g

from aro.adapters.tokens import Principal
from aro.contracts.problems import Conflict, NotFound
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.web import admin_only, json_response
from auth_service import examples
from auth_service.administration import Administration
from auth_service.answers import AccountPage, InvitationItem, InvitationList, ManagedAccount, NewInvitationItem
from auth_service.invitations import Invitations
from auth_service.routes import PREFIX
from auth_service.schemas import AccountChangeSchema, AccountQuery, InvitationSchema


def user_routes(administration: Administration, health: Health) -> Blueprint:
    blueprint = Blueprint("users", __name__, url_prefix=f"{PREFIX}/users", description="Accounts, for administrators")
    blueprint.before_request(health.require_ready)

    @blueprint.get("")
    @admin_only
    @blueprint.arguments(AccountQuery, location="query")
    @blueprint.answers(AccountPage, "Accounts in the order of their e-mails", example=examples.ACCOUNTS)
    def list_users(query: dict[str, Any]) -> Response:
        """All accounts, in pages."""
        users, cursor = administration.page(after=query["cursor"], limit=query["limit"])
        return json_response(AccountPage([ManagedAccount.of(user) for user in users], cursor))

    @blueprint.get("/<user_id>")
    @admin_only
    @blueprint.answers(ManagedAccount, "The account", problems=(NotFound,), example=examples.MANAGED_ACCOUNT)
    def get_user(user_id: str) -> Response:
        """One account."""
        return json_response(ManagedAccount.of(administration.find(user_id)))

    @blueprint.patch("/<user_id>")
    @admin_only
    @blueprint.arguments(AccountChangeSchema, example=examples.ACCOUNT_CHANGE)
    @blueprint.answers(
        ManagedAccount, "The account as it is now", problems=(NotFound, Conflict), example=examples.MANAGED_ACCOUNT
    )
    def change_user(body: dict[str, Any], user_id: str) -> Response:
        """Verify an account, give it a role, disable or enable it.

        A disabled account loses all its sessions and personal tokens. Nobody can disable the own account, or give up
        the own role.
        """
        principal: Principal = g.principal
        user = administration.change(
            user_id,
            role=body["role"],
            is_verified=body["verified"],
            is_disabled=body["disabled"],
            by=principal.subject,
        )
        return json_response(ManagedAccount.of(user))

    return blueprint


def invitation_routes(invitations: Invitations, health: Health) -> Blueprint:
    blueprint = Blueprint(
        "invitations", __name__, url_prefix=f"{PREFIX}/invitations", description="Invitations, for administrators"
    )
    blueprint.before_request(health.require_ready)

    @blueprint.post("")
    @admin_only
    @blueprint.arguments(InvitationSchema, example=examples.INVITATION)
    @blueprint.answers(
        NewInvitationItem, "The invitation, shown this once", status=201, example=examples.NEW_INVITATION
    )
    def invite(body: dict[str, Any]) -> Response:
        """Invite somebody to register. There is no mailer: hand the text over yourself.

        An account that was registered with an invitation to its own e-mail is verified.
        """
        principal: Principal = g.principal
        made = invitations.invite(email=body["email"], hours=body["expires_in_hours"], by=principal.subject)
        item = InvitationItem.of(made.invitation)
        answer = NewInvitationItem(invitation=made.text, id=item.id, email=item.email, expires_at=item.expires_at)
        return json_response(answer, 201)

    @blueprint.get("")
    @admin_only
    @blueprint.answers(InvitationList, "Invitations that can still be used", example=examples.INVITATIONS)
    def list_invitations() -> Response:
        """Open invitations, the one that expires first first."""
        return json_response(InvitationList([InvitationItem.of(item) for item in invitations.open()]))

    @blueprint.delete("/<invitation_id>")
    @admin_only
    @blueprint.answers(None, "Withdrawn", status=204, problems=(NotFound,))
    def withdraw(invitation_id: str) -> Response:
        """Withdraw an invitation that was not used."""
        invitations.withdraw(invitation_id)
        return Response(status=204)

    return blueprint
