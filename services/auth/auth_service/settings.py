"""Settings of the auth service."""

from dataclasses import dataclass
from pathlib import Path

from aro.runtime.settings import Secret, setting


@dataclass(frozen=True, kw_only=True)
class AuthSettings:
    key_dir: Path = setting("ARO_AUTH_KEY_DIR", "directory of the signing key; made at first start, mode 0700")
    mongo_url: Secret = setting("ARO_MONGO_URL", "MongoDB connection string")
    mongo_database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")
    redis_url: Secret | None = setting(
        "ARO_REDIS_URL", "Redis that throttle counters are shared in; this process's memory if not set", default=None
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
    logins_per_minute: int = setting(
        "ARO_LOGINS_PER_MINUTE", "logins that one address may try per minute", default=60, minimum=1
    )
    login_failures: int = setting(
        "ARO_LOGIN_FAILURES", "wrong passwords per account in 5 minutes before it is throttled", default=10, minimum=1
    )
    registrations_per_hour: int = setting(
        "ARO_REGISTRATIONS_PER_HOUR", "accounts that one address may register per hour", default=60, minimum=1
    )
