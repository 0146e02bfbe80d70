"""Settings of the api-gateway."""

from dataclasses import dataclass
from pathlib import Path

from aro.runtime.settings import Secret, setting
from aro.runtime.tracing import endpoint_setting


@dataclass(frozen=True, kw_only=True)
class ApiGatewaySettings:
    auth_url: str = setting("ARO_AUTH_URL", "where the auth service is, like http://127.0.0.1:8020")
    storage_url: str = setting("ARO_STORAGE_URL", "where the storage service is")
    analytics_url: str = setting("ARO_ANALYTICS_URL", "where the analytics service is")
    logging_url: str = setting("ARO_LOGGING_URL", "where the logging service is")
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with live state, ended sessions and counters of limits")
    jwks_url: str = setting("ARO_JWKS_URL", "where auth publishes the keys that access tokens verify with")
    token_issuer: str = setting("ARO_TOKEN_ISSUER", "claim iss of access tokens", default="option-aro-auth")
    token_audience: str = setting("ARO_TOKEN_AUDIENCE", "claim aud of access tokens", default="option-aro")
    host: str = setting("ARO_HOST", "address to listen on", default="127.0.0.1")
    port: int = setting("ARO_PORT", "port to listen on", minimum=1)
    operations_port: int = setting("ARO_OPERATIONS_PORT", "port for health and metrics", minimum=1)
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
    cors_origins: tuple[str, ...] = setting(
        "ARO_CORS_ORIGINS", "origins of web pages that may connect, comma-separated; only its own if empty", default=()
    )
    hsts_seconds: int = setting(
        "ARO_HSTS_SECONDS", "max-age of Strict-Transport-Security; 0 sends none", default=0, minimum=0
    )
    requests_per_user: int = setting(
        "ARO_REQUESTS_PER_USER", "requests that one account may make per minute", default=1_200, minimum=1
    )
    requests_per_address: int = setting(
        "ARO_REQUESTS_PER_ADDRESS", "requests that one address may make per minute", default=6_000, minimum=1
    )
    log_tails: int = setting("ARO_LOG_TAILS", "live tails of the logs that may be open at a time", default=4, minimum=1)
    stale_after_ms: int = setting(
        "ARO_STALE_AFTER_MS",
        "a latest state whose source is silent for so many milliseconds is called stale",
        default=3_000,
        minimum=1,
    )
    page_dir: Path | None = setting(
        "ARO_PAGE_DIR", "folder of the built dashboard; browsers are told that there is none if not set", default=None
    )
    public_socket_url: str | None = setting(
        "ARO_PUBLIC_SOCKET_URL",
        "where browsers reach the socket-gateway, like http://127.0.0.1:8010; the page's own origin if not set",
        default=None,
    )
