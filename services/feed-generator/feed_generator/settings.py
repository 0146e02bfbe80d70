"""Settings of the feed. Each ``ARO_FEED_X`` is also command-line option ``--x``; ``ARO_UNIVERSE`` is ``--universe``."""

from dataclasses import dataclass
from datetime import datetime

from aro.contracts.universe import UNIVERSES
from aro.runtime.settings import Secret, setting

PROVIDERS = ("synthetic", "replay")
SCENARIOS = ("calm", "trend", "crash", "expiry-day")
HOURS = ("always", "exchange")


class Instant(int):
    """UTC epoch milliseconds of an ISO 8601 time with its offset. Raises ValueError for one without."""

    def __new__(cls, text: str) -> "Instant":
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ValueError(f"{text} has no offset")
        return super().__new__(cls, round(time.timestamp() * 1000))


@dataclass(frozen=True, kw_only=True)
class RecordSettings:
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the ledger")
    log_level: str = setting("ARO_LOG_LEVEL", "least severe level that is logged", default="INFO")


@dataclass(frozen=True, kw_only=True)
class ReplaySettings:
    """What ``replay`` needs, the process that plays sessions."""

    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the ledger")
    mongo_url: Secret = setting("ARO_MONGO_URL", "MongoDB with the history that sessions play")
    mongo_database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")
    operations_port: int = setting("ARO_OPERATIONS_PORT", "port for health and metrics", minimum=1)
    host: str = setting("ARO_HOST", "address for health and metrics", default="127.0.0.1")
    log_level: str = setting("ARO_LOG_LEVEL", "least severe level that is logged", default="INFO")
    log_shipping: bool = setting("ARO_LOG_SHIPPING", "ship log lines to the logging service too", default=True)
    directory: str | None = setting(
        "ARO_REPLAY_DIR", "folder of recordings, captures and folders of captures that sessions may play", default=None
    )
    idle_seconds: float = setting(
        "ARO_REPLAY_IDLE_SECONDS", "a session that nobody listens to ends after so long", default=60.0, minimum=1.0
    )


@dataclass(frozen=True, kw_only=True)
class FeedSettings:
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the ledger")
    operations_port: int = setting("ARO_OPERATIONS_PORT", "port for health and metrics", minimum=1)
    host: str = setting("ARO_HOST", "address for health and metrics", default="127.0.0.1")
    log_level: str = setting("ARO_LOG_LEVEL", "least severe level that is logged", default="INFO")
    log_shipping: bool = setting("ARO_LOG_SHIPPING", "ship log lines to the logging service too", default=True)
    provider: str = setting("ARO_FEED_PROVIDER", "where chains come from", default="synthetic", choices=PROVIDERS)
    universe: str = setting(
        "ARO_UNIVERSE",
        "which products are known: those that are listed, or all of nse; to be set for every service",
        default=UNIVERSES[0],
    )
    products: tuple[str, ...] = setting(
        "ARO_FEED_PRODUCTS",
        "products, separated by commas; if not set, synthetic takes its six defaults, or all of the universe, and "
        "replay all it finds",
        default=(),
    )
    interval: float = setting("ARO_FEED_INTERVAL", "seconds between ticks", default=1.0, minimum=0.05)
    seed: int = setting("ARO_FEED_SEED", "seed of the synthetic market", default=1, minimum=0)
    scenario: str = setting("ARO_FEED_SCENARIO", "what happens to it", default="calm", choices=SCENARIOS)
    hours: str = setting(
        "ARO_FEED_HOURS", "synthetic trading around the clock or in exchange hours", default="always", choices=HOURS
    )
    file: str | None = setting("ARO_FEED_FILE", "recording, capture, or folder of captures to replay", default=None)
    speed: float = setting(
        "ARO_FEED_SPEED", "how much faster than it was taken a replay is played", default=1.0, minimum=0.001
    )
    start: Instant | None = setting(
        "ARO_FEED_FROM", "instant of the replay's own time to start at, as 2026-11-22T09:15:00Z", default=None
    )
    loop: bool = setting("ARO_FEED_LOOP", "start a replay over when it is through", default=False)
    truth: str | None = setting(
        "ARO_FEED_TRUTH", "file to which the truth behind each synthetic chain is appended", default=None
    )
    backfill: int = setting(
        "ARO_FEED_BACKFILL", "fill this many past seconds with synthetic history, then end", default=0, minimum=0
    )
    buffer: int = setting(
        "ARO_FEED_BUFFER", "most messages kept while Redis is away; the oldest are dropped", default=2_000, minimum=1
    )
    stream_cap: int = setting(
        "ARO_FEED_STREAM_CAP",
        "entries in a ledger stream at which the feed stops adding to it",
        default=10_000,
        minimum=1,
    )
