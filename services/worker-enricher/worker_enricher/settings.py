"""Settings of all roles."""

from dataclasses import dataclass

from aro.runtime.settings import Secret, setting
from aro.runtime.tracing import endpoint_setting


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the ledger and the live state")
    broker_url: Secret = setting("ARO_BROKER_URL", "Redis database for Celery's queues; not the ledger's database")
    mongo_url: Secret = setting("ARO_MONGO_URL", "MongoDB connection string")
    mongo_database: str = setting("ARO_MONGO_DATABASE", "MongoDB database", default="option_aro")
    host: str = setting("ARO_HOST", "address for health and metrics", default="127.0.0.1")
    operations_port: int = setting("ARO_OPERATIONS_PORT", "port for health and metrics", minimum=1)
    log_level: str = setting("ARO_LOG_LEVEL", "least severe level that is logged", default="INFO")
    log_shipping: bool = setting("ARO_LOG_SHIPPING", "ship log lines to the logging service too", default=True)
    otlp_endpoint: str | None = endpoint_setting("ARO_OTLP_ENDPOINT")
    concurrency: int = setting(
        "ARO_WORKER_CONCURRENCY",
        "child processes of role work; with one, chains wait while a surface is fitted",
        default=2,
        minimum=1,
    )
    consumer_name: str | None = setting(
        "ARO_CONSUMER_NAME", "name in the consumer group; the host name if not set", default=None
    )
    batch_size: int = setting("ARO_BATCH_SIZE", "most snapshots in one task", default=256, minimum=1)
    batch_ms: int = setting("ARO_BATCH_MS", "most milliseconds that a batch waits for more", default=50, minimum=1)
    conflate_after_ms: int = setting(
        "ARO_CONFLATE_AFTER_MS",
        "when snapshots have waited so many milliseconds for a worker, the newest of each series goes first; those it "
        "overtakes are stored raw and enriched later",
        default=500,
        minimum=1,
    )
    reclaim_idle_ms: int = setting(
        "ARO_RECLAIM_IDLE_MS",
        "unacknowledged entries are sent again after this many milliseconds",
        default=5_000,
        minimum=1,
    )
    stale_after_ms: int = setting(
        "ARO_STALE_AFTER_MS",
        "a product without news for so many milliseconds is called stale",
        default=3_000,
        minimum=1,
    )


@dataclass(frozen=True, kw_only=True)
class DeadLetterSettings:
    """What ``dead …`` needs."""

    redis_url: Secret = setting("ARO_REDIS_URL", "Redis with the ledger and the live state")
