"""Settings of the logging service."""

from dataclasses import dataclass

from aro.runtime.settings import Secret, setting
from aro.runtime.tracing import endpoint_setting


@dataclass(frozen=True, kw_only=True)
class LoggingSettings:
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the stream of log lines")
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
    trusted_proxies: tuple[str, ...] = setting(
        "ARO_TRUSTED_PROXIES", "networks whose X-Forwarded-For is believed, comma-separated", default=()
    )
    log_shipping: bool = setting("ARO_LOG_SHIPPING", "ship log lines to the logging service too", default=True)
    otlp_endpoint: str | None = endpoint_setting("ARO_OTLP_ENDPOINT")
    retention_days: float = setting("ARO_LOG_RETENTION_DAYS", "days that log lines are kept", default=7.0, minimum=0.01)
    max_bytes: int = setting(
        "ARO_LOG_MAX_BYTES",
        "disk that log lines may take; beyond it the oldest go before their time",
        default=2_000_000_000,
        minimum=1_000_000,
    )
    lines_per_second: int = setting(
        "ARO_LOG_LINES_PER_SECOND",
        "most lines stored per second, so that a storm of them leaves the database to others",
        default=500,
        minimum=1,
    )
    ingest_lines_per_minute: int = setting(
        "ARO_LOG_INGEST_LINES_PER_MINUTE", "lines that one account may post per minute", default=600, minimum=1
    )
    ingest_bytes_per_day: int = setting(
        "ARO_LOG_INGEST_BYTES_PER_DAY", "bytes that one account may post per day", default=20_000_000, minimum=1_000
    )
