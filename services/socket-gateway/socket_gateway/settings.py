"""Settings of the gateway."""

from dataclasses import dataclass

from aro.runtime.addresses import parse_networks
from aro.runtime.origins import parse_origin
from aro.runtime.settings import Secret, SettingsError, setting


@dataclass(frozen=True, kw_only=True)
class GatewaySettings:
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the live state")
    jwks_url: str = setting("ARO_JWKS_URL", "where the auth service publishes its keys")
    token_issuer: str = setting("ARO_TOKEN_ISSUER", "`iss` of access tokens", default="option-aro-auth")
    token_audience: str = setting("ARO_TOKEN_AUDIENCE", "`aud` of access tokens", default="option-aro")
    host: str = setting("ARO_HOST", "address to listen on", default="127.0.0.1")
    port: int = setting("ARO_PORT", "port for sockets, health and metrics", minimum=1)
    log_level: str = setting("ARO_LOG_LEVEL", "least severe level that is logged", default="INFO")
    log_shipping: bool = setting("ARO_LOG_SHIPPING", "ship log lines to the logging service too", default=True)
    trusted_proxies: tuple[str, ...] = setting(
        "ARO_TRUSTED_PROXIES", "networks whose X-Forwarded-For is believed, comma-separated", default=()
    )
    cors_origins: tuple[str, ...] = setting(
        "ARO_CORS_ORIGINS", "origins of web pages that may connect, comma-separated; only its own if empty", default=()
    )
    max_sockets: int = setting("ARO_GATEWAY_MAX_SOCKETS", "open sockets in all", default=4_000, minimum=1)
    max_sockets_per_user: int = setting(
        "ARO_GATEWAY_MAX_SOCKETS_PER_USER", "open sockets of one account", default=10, minimum=1
    )
    max_sockets_per_address: int = setting(
        "ARO_GATEWAY_MAX_SOCKETS_PER_ADDRESS",
        "open sockets of one address, which for IPv6 is a /64",
        default=1_000,
        minimum=1,
    )
    handshakes_per_second: int = setting(
        "ARO_GATEWAY_HANDSHAKES_PER_SECOND",
        "handshakes in all per second; while ten times as many are fewer than all sockets, strangers cannot fill them",
        default=300,
        minimum=1,
    )
    handshakes_per_address: int = setting(
        "ARO_GATEWAY_HANDSHAKES_PER_ADDRESS",
        "handshakes that one address may begin per minute, at once or spread",
        default=3_000,
        minimum=1,
    )
    max_channels: int = setting("ARO_GATEWAY_MAX_CHANNELS", "channels joined by one socket", default=128, minimum=1)
    max_request_channels: int = setting(
        "ARO_GATEWAY_MAX_REQUEST_CHANNELS", "entries of one subscribe or unsubscribe list", default=128, minimum=1
    )
    max_message_bytes: int = setting(
        "ARO_GATEWAY_MAX_MESSAGE_BYTES", "size of one message from a client", default=16_384, minimum=1_024
    )
    messages_per_minute: int = setting(
        "ARO_GATEWAY_MESSAGES_PER_MINUTE", "messages that one socket may send", default=120, minimum=1
    )
    max_outbox_bytes: int = setting(
        "ARO_GATEWAY_MAX_OUTBOX_BYTES",
        "kept for one socket that does not take what it is sent; beyond it, it is closed as slow",
        default=8 << 20,
        minimum=65_536,
    )
    history_bytes: int = setting(
        "ARO_GATEWAY_HISTORY_BYTES",
        "past messages of all channels, kept for who comes back; in equal shares of at most 1 MiB",
        default=256 << 20,
        minimum=0,
    )
    slow_seconds: float = setting(
        "ARO_GATEWAY_SLOW_SECONDS",
        "how long a socket may take nothing of what it is sent before it is closed as slow",
        default=5.0,
        minimum=0.5,
    )
    heartbeat_seconds: float = setting(
        "ARO_GATEWAY_HEARTBEAT_SECONDS",
        "how often sockets are told their positions",
        default=5.0,
        minimum=0.5,
    )
    check_seconds: float = setting(
        "ARO_GATEWAY_CHECK_SECONDS", "how often positions are compared with Redis", default=5.0, minimum=0.5
    )
    admission_seconds: float = setting(
        "ARO_GATEWAY_ADMISSION_SECONDS",
        "how long a connection may take for its handshake, and then again to present its token",
        default=10.0,
        minimum=0.1,
    )
    drain_seconds: float = setting(
        "ARO_GATEWAY_DRAIN_SECONDS", "over how long sockets are closed at shutdown", default=5.0, minimum=0.0
    )
    stuck_seconds: float = setting(
        "ARO_GATEWAY_STUCK_SECONDS",
        "the process ends itself, saying where it hangs, once its event loop has not turned for so long",
        default=30.0,
        minimum=1.0,
    )

    def __post_init__(self) -> None:
        faults = []
        for name, parse, texts in (
            ("ARO_TRUSTED_PROXIES", lambda text: parse_networks([text]), self.trusted_proxies),
            ("ARO_CORS_ORIGINS", parse_origin, self.cors_origins),
        ):
            for text in texts:
                try:
                    parse(text)
                except ValueError as error:
                    faults.append(f"{name}: {error}")
        if faults:
            raise SettingsError("; ".join(faults))
