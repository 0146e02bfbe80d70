"""Errors that a user may meet: one class, one stable code and one HTTP status each.

REST turns them into RFC 9457 ``application/problem+json``, the socket into ``error {code, detail}``,
and the pipeline into a dead letter's ``reason``.
"""

from typing import Any, ClassVar, Final


class AroError(Exception):
    """Base of all our errors. Never raised itself.

    `detail` is shown to users: a sentence in the field's words that quotes no secret and no internals.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, errors: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class UnknownProduct(AroError):
    code, status, title = "unknown_product", 404, "Unknown product"


class UnknownExpiry(AroError):
    code, status, title = "unknown_expiry", 404, "Unknown expiry"


class UnknownChannel(AroError):
    code, status, title = "unknown_channel", 404, "Unknown channel"


class NotFound(AroError):
    code, status, title = "not_found", 404, "Not found"


class InvalidRequest(AroError):
    code, status, title = "invalid_request", 422, "Invalid request"


class TooManyChannels(AroError):
    code, status, title = "too_many_channels", 429, "Too many channels"


class Conflict(AroError):
    code, status, title = "conflict", 409, "Conflict"


class NotAuthenticated(AroError):
    """No token, or one that does not verify."""

    code, status, title = "token_invalid", 401, "Authentication required"


class TokenMissing(NotAuthenticated):
    code = "token_missing"


class TokenExpired(NotAuthenticated):
    code = "token_expired"


class TokenRevoked(NotAuthenticated):
    """The session behind the token was ended: logged out, or its password was changed."""

    code = "token_revoked"


class BadCredentials(NotAuthenticated):
    code, title = "bad_credentials", "Wrong e-mail or password"


class Forbidden(AroError):
    code, status, title = "forbidden", 403, "Forbidden"


class AccountUnverified(Forbidden):
    """The password is right, but nobody has confirmed yet whose e-mail it is."""

    code, title = "account_unverified", "Account not verified"


class AccountDisabled(Forbidden):
    code, title = "account_disabled", "Account disabled"


class RateLimited(AroError):
    """`retry_after` seconds goes out as the ``Retry-After`` header."""

    code, status, title = "rate_limited", 429, "Too many requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ServiceUnavailable(AroError):
    """A server that this answer needs is away; nothing was made up instead."""

    code, status, title = "service_unavailable", 503, "Service unavailable"


class BadGateway(AroError):
    code, status, title = "bad_gateway", 502, "Bad gateway"


class UpstreamTimeout(AroError):
    code, status, title = "upstream_timeout", 504, "Upstream did not answer in time"


REJECTION_REASONS: Final = frozenset(
    {
        "malformed",
        "wrong_version",
        "too_large",
        "not_finite",
        "negative",
        "crossed",
        "bad_strikes",
        "bad_columns",
        "bad_time",
        "unknown_product",
        "delivery_limit",
    }
)
"""Why a ledger entry may be dead-lettered; the label of ``dead_letter_total``."""


class MessageRejected(AroError):
    """A message that must not enter the platform. `reason` is one of `REJECTION_REASONS`."""

    code, status, title = "message_rejected", 422, "Message rejected"

    def __init__(self, reason: str, detail: str) -> None:
        if reason not in REJECTION_REASONS:
            raise ValueError(f"undeclared rejection reason {reason!r}")
        super().__init__(detail)
        self.reason = reason
