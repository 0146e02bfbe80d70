"""Settings of the analytics service."""

from dataclasses import dataclass

from aro.runtime.settings import Secret, setting
from aro.runtime.tracing import endpoint_setting


@dataclass(frozen=True, kw_only=True)
class AnalyticsSettings:
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis that holds streams, live state and pub/sub")
    mongo_url: Secret = setting("ARO_MONGO_URL", "MongoDB connection string")
    mongo_database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")
    jwks_url: str = setting("ARO_JWKS_URL", "where auth publishes the keys that access tokens verify with")
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
    result_cache_mib: float = setting(
        "ARO_RESULT_CACHE_MIB", "MiB of answers that analytics keeps for who asks the same", default=64.0, minimum=1.0
    )
    alerts_per_user: int = setting("ARO_ALERTS_PER_USER", "alerts that one user may have", default=50, minimum=1)
    replay_sessions: int = setting("ARO_REPLAY_SESSIONS", "replay sessions at a time", default=8, minimum=1)
    replay_sessions_per_user: int = setting(
        "ARO_REPLAY_SESSIONS_PER_USER", "of these, sessions that one user may have", default=2, minimum=1
    )
