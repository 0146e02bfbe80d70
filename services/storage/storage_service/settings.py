"""Settings of the storage service."""

from dataclasses import dataclass

from aro.runtime.settings import Secret, setting
from aro.runtime.tracing import endpoint_setting


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
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
    redis_url: Secret | None = setting(
        "ARO_REDIS_URL",
        "Redis that log lines are shipped through, and that knows which sessions have ended; neither if not set",
        default=None,
    )
    chain_retention_hours: float = setting(
        "ARO_CHAIN_RETENTION_HOURS",
        "hours that whole chains are kept; the default feed writes 0.9 GB an hour",
        default=2.0,
        minimum=0.1,
    )
    metrics_retention_days: float = setting(
        "ARO_METRICS_RETENTION_DAYS",
        "days that metrics and the last chain of an expiry are kept",
        default=7.0,
        minimum=0.1,
    )
    tick_retention_days: float = setting(
        "ARO_TICK_RETENTION_DAYS", "days that ticks of the underlying are kept", default=7.0, minimum=0.1
    )
    surface_retention_hours: float = setting(
        "ARO_SURFACE_RETENTION_HOURS",
        "hours that surfaces are kept; the default feed's are 18 MB an hour",
        default=24.0,
        minimum=0.1,
    )
    bar_retention_days: float = setting(
        "ARO_BAR_RETENTION_DAYS",
        "days that one-minute bars are kept; the default feed's are 80 MB a day",
        default=30.0,
        minimum=0.1,
    )
    iv_history_retention_days: float = setting(
        "ARO_IV_HISTORY_RETENTION_DAYS",
        "days that daily volatilities are kept; ranks look back over 252 trading days",
        default=1_100.0,
        minimum=0.1,
    )


@dataclass(frozen=True, kw_only=True)
class MigrateSettings:
    """What ``migrate`` needs."""

    mongo_url: Secret = setting("ARO_MONGO_URL", "MongoDB connection string")
    mongo_database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")


@dataclass(frozen=True, kw_only=True)
class ProvisionSettings:
    """What ``provision`` needs."""

    root_url: Secret = setting("ARO_MONGO_ROOT_URL", "MongoDB connection string of its first account")
    password: Secret = setting("ARO_MONGO_PASSWORD", "password that the services' account gets")
    database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")
    members: tuple[str, ...] = setting(
        "ARO_MONGO_MEMBERS",
        "host:port of each member of the replica set, separated by commas",
        default=("mongo:27017",),
    )
    replica_set: str = setting("ARO_MONGO_REPLICA_SET", "name of the replica set", default="rs0")
