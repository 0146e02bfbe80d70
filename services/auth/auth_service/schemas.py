"""What the routes accept. Fields that are not listed are refused, so nobody registers with a role of their choice."""

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Equal, Length, OneOf, Range

from aro.adapters.tokens import ROLE_ADMIN, ROLE_USER, SCOPE_READ
from aro.runtime.queries import Whole, page_limit
from auth_service.credentials import (
    MAX_EMAIL,
    Unacceptable,
    checked_email,
    checked_password,
    normalise_email,
    normalise_password,
)
from auth_service.invitations import MOST_HOURS, USUAL_HOURS
from auth_service.personal_tokens import MOST_DAYS, SCOPES

MAX_TOKEN: Final = 200
MAX_NAME: Final = 100


class NewEmail(fields.String):
    json_schema: Final = {"type": "string", "format": "email", "maxLength": MAX_EMAIL}

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        try:
            return checked_email(super()._deserialize(value, attr, data, **options))
        except Unacceptable as error:
            raise ValidationError(str(error)) from None


class NewPassword(fields.String):
    # The lengths count characters after NFKC, where "½" is three: no schema says that.
    json_schema: Final = {"type": "string", "format": "password"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        email = data.get("email")
        try:
            return checked_password(
                super()._deserialize(value, attr, data, **options),
                normalise_email(email) if isinstance(email, str) else "",
            )
        except Unacceptable as error:
            raise ValidationError(str(error)) from None


class AnyEmail(fields.String):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        return normalise_email(super()._deserialize(value, attr, data, **options))


class AnyPassword(fields.String):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        return normalise_password(super()._deserialize(value, attr, data, **options))


class RegistrationSchema(Schema):
    email = NewEmail(required=True, metadata={"description": "becomes the name of the account"})
    password = NewPassword(required=True, metadata={"description": "8 to 128 characters, not a common one"})
    invitation = fields.String(
        load_default=None,
        validate=Length(1, MAX_TOKEN),
        metadata={"description": "`aro_inv_…`, where registration is by invitation"},
    )


class LoginSchema(Schema):
    """No rules about form: what cannot be an account is answered like a wrong password."""

    email = AnyEmail(required=True)
    password = AnyPassword(required=True)


class RefreshSchema(Schema):
    refresh_token = fields.String(
        required=True, validate=Length(1, MAX_TOKEN), metadata={"description": "`aro_rt_…`; each is good once"}
    )


class PasswordChangeSchema(Schema):
    current_password = AnyPassword(required=True)
    new_password = NewPassword(required=True, metadata={"description": "8 to 128 characters, not a common one"})


class PersonalTokenSchema(Schema):
    name = fields.String(
        required=True, validate=Length(1, MAX_NAME), metadata={"description": "what its owner will know it by"}
    )
    scopes = fields.List(
        fields.String(validate=OneOf(SCOPES)),
        load_default=lambda: [SCOPE_READ],
        validate=Length(1, len(SCOPES)),
        metadata={"description": "what it may do; `admin` needs the role", "default": [SCOPE_READ]},
    )
    expires_in_days = Whole(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=Range(1, MOST_DAYS),
        metadata={"description": "it does not expire if left out"},
    )


class AccountQuery(Schema):
    limit = page_limit(usual=50, most=200)
    cursor = fields.String(
        load_default="",
        validate=Length(0, MAX_EMAIL),
        metadata={"description": "next_cursor of the page before"},
    )


class AccountChangeSchema(Schema):
    """What is left out stays as it is."""

    role = fields.String(load_default=None, validate=OneOf([ROLE_USER, ROLE_ADMIN]))
    verified = fields.Boolean(
        load_default=None, truthy={True}, falsy={False}, validate=Equal(True), metadata={"description": "only true"}
    )
    disabled = fields.Boolean(
        load_default=None, truthy={True}, falsy={False}, metadata={"description": "true ends all its sessions"}
    )


class InvitationSchema(Schema):
    email = NewEmail(
        load_default=None, allow_none=True, metadata={"description": "the only one that may use it; anyone if left out"}
    )
    expires_in_hours = Whole(load_default=USUAL_HOURS, strict=True, validate=Range(1, MOST_HOURS))
