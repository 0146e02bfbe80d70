"""Settings of the auth service and of its command line."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aro.adapters.passwords import OWASP_MINIMUM, PROFILES
from aro.runtime.settings import Secret, SettingsError, setting
from aro.runtime.tracing import endpoint_setting

REGISTRATION_OPEN: Final = "open"
REGISTRATION_INVITE: Final = "invite"
REGISTRATION_CLOSED: Final = "closed"
VERIFICATION_OFF: Final = "off"
VERIFICATION_REQUIRED: Final = "required"


@dataclass(frozen=True, kw_only=True)
class KeySettings:
    """What ``keys …`` needs."""

    key_dir: Path = setting("ARO_AUTH_KEY_DIR", "directory of the signing keys; made at first start, mode 0700")
    key_group: int | None = setting(
        "ARO_AUTH_KEY_GROUP",
        "number of a group that may read the keys because only this service is in it (a pod's fsGroup)",
        default=None,
        minimum=1,
    )


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """What ``admin …`` needs."""

    mongo_url: Secret = setting("ARO_MONGO_URL", "MongoDB connection string")
    mongo_database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")
    password_profile: str = setting(
        "ARO_PASSWORD_PROFILE", "cost of argon2id hashes", default=OWASP_MINIMUM, choices=tuple(PROFILES)
    )
    session_hours: int = setting(
        "ARO_SESSION_HOURS", "how long a session can be refreshed at all", default=720, minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class AuthSettings(KeySettings, AdminSettings):
    redis_url: Secret | None = setting(
        "ARO_REDIS_URL",
        "Redis where ended sessions are announced and throttles count; without it only auth knows of either",
        default=None,
    )
    token_issuer: str = setting("ARO_TOKEN_ISSUER", "claim iss of access tokens", default="option-aro-auth")
    token_audience: str = setting("ARO_TOKEN_AUDIENCE", "claim aud of access tokens", default="option-aro")
    host: str = setting("ARO_HOST", "address to listen on", default="127.0.0.1")
    port: int = setting("ARO_PORT", "port to listen on", minimum=1)
    log_level: str = setting(
        "ARO_LOG_LEVEL",
        "least severe level that is logged",
        default="INFO",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    log_shipping: bool = setting("ARO_LOG_SHIPPING", "ship log lines to the logging service too", default=True)
    otlp_endpoint: str | None = endpoint_setting("ARO_OTLP_ENDPOINT")
    trusted_proxies: tuple[str, ...] = setting(
        "ARO_TRUSTED_PROXIES", "networks whose X-Forwarded-For is believed, comma-separated", default=()
    )
    registration: str = setting(
        "ARO_REGISTRATION",
        "who may register: anyone, who has an invitation, or nobody",
        default=REGISTRATION_OPEN,
        choices=(REGISTRATION_OPEN, REGISTRATION_INVITE, REGISTRATION_CLOSED),
    )
    email_verification: str = setting(
        "ARO_EMAIL_VERIFICATION",
        "whether an administrator must have verified an account before it can log in",
        default=VERIFICATION_OFF,
        choices=(VERIFICATION_OFF, VERIFICATION_REQUIRED),
    )
    session_idle_hours: int = setting(
        "ARO_SESSION_IDLE_HOURS", "how long a session lasts that nobody refreshes", default=168, minimum=1
    )
    sessions_per_user: int = setting(
        "ARO_SESSIONS_PER_USER", "live sessions of one account; one more ends the longest unused", default=50, minimum=1
    )
    session_retention_days: int = setting(
        "ARO_SESSION_RETENTION_DAYS", "how long ended sessions, tokens and invitations are kept", default=7, minimum=1
    )
    personal_tokens_per_user: int = setting(
        "ARO_PERSONAL_TOKENS_PER_USER", "personal access tokens of one account", default=50, minimum=1
    )
    logins_per_minute: int = setting(
        "ARO_LOGINS_PER_MINUTE", "logins that one address may try per minute", default=60, minimum=1
    )
    login_failures: int = setting(
        "ARO_LOGIN_FAILURES", "wrong passwords per account in 5 minutes before it is throttled", default=10, minimum=1
    )
    registrations_per_hour: int = setting(
        "ARO_REGISTRATIONS_PER_HOUR", "accounts that one address may register per hour", default=60, minimum=1
    )

    def __post_init__(self) -> None:
        for text in self.trusted_proxies:
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise SettingsError(f"ARO_TRUSTED_PROXIES must be networks, not {text[:40]!r}") from None
