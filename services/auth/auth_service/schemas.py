"""What the routes accept. Fields that are not listed are refused, so nobody registers with a role of their choice."""

from typing import Any

from marshmallow import Schema, ValidationError, fields

from auth_service.credentials import (
    Unacceptable,
    checked_email,
    checked_password,
    normalise_email,
    normalise_password,
)


class NewEmail(fields.String):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        try:
            return checked_email(super()._deserialize(value, attr, data, **options))
        except Unacceptable as error:
            raise ValidationError(str(error)) from None


class NewPassword(fields.String):
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


class LoginSchema(Schema):
    """No rules about form: what cannot be an account is answered like a wrong password."""

    email = AnyEmail(required=True)
    password = AnyPassword(required=True)
