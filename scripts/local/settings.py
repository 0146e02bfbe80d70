"""What a person can choose for the local platform by environment variable."""

from dataclasses import dataclass
from pathlib import Path

from aro.runtime.settings import setting


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    home: Path | None = setting(
        "ARO_HOME",
        "Folder of the local platform's data, keys and logs; ~/.local/state/option-aro (XDG_STATE_HOME) unless set",
        default=None,
    )
    mongo_url: str | None = setting(
        "ARO_MONGO_URL", "A MongoDB to use; the local platform starts its own unless set", default=None
    )
    api_port: int = setting("ARO_API_PORT", "Port of the local api-gateway", default=8000, minimum=1)
    gateway_port: int = setting("ARO_GATEWAY_PORT", "Port of the local socket-gateway", default=8010, minimum=1)
    cors_origins: tuple[str, ...] = setting(
        "ARO_CORS_ORIGINS", "Origins of other web pages that may connect, comma-separated", default=()
    )
    auth_port: int = setting("ARO_AUTH_PORT", "Port of the local auth service", default=8020, minimum=1)
    storage_port: int = setting("ARO_STORAGE_PORT", "Port of the local storage service", default=8030, minimum=1)
    analytics_port: int = setting("ARO_ANALYTICS_PORT", "Port of the local analytics service", default=8040, minimum=1)
    logging_port: int = setting("ARO_LOGGING_PORT", "Port of the local logging service", default=8050, minimum=1)
    feed_port: int = setting(
        "ARO_FEED_OPERATIONS_PORT", "Port of health and metrics of the local feed", default=9101, minimum=1
    )
    consume_port: int = setting(
        "ARO_CONSUME_OPERATIONS_PORT", "Port of health and metrics of the local role consume", default=9102, minimum=1
    )
    work_port: int = setting(
        "ARO_WORK_OPERATIONS_PORT", "Port of health and metrics of the local role work", default=9103, minimum=1
    )
    beat_port: int = setting(
        "ARO_BEAT_OPERATIONS_PORT", "Port of health and metrics of the local role beat", default=9104, minimum=1
    )
    api_operations_port: int = setting(
        "ARO_API_OPERATIONS_PORT", "Port of health and metrics of the local api-gateway", default=9105, minimum=1
    )
    replay_port: int = setting(
        "ARO_REPLAY_OPERATIONS_PORT",
        "Port of health and metrics of the local role replay",
        default=9106,
        minimum=1,
    )
    redis_port: int = setting("ARO_REDIS_PORT", "Port of the local Redis", default=16379, minimum=1)
    mongo_port: int = setting("ARO_MONGO_PORT", "Port of the local MongoDB", default=27117, minimum=1)
