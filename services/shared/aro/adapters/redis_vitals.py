"""What Redis says about its own health, and how old the ledger's oldest debt is."""

from dataclasses import dataclass
from typing import Any

import redis

from aro.contracts.names import GROUP_ENRICHERS


@dataclass(frozen=True, slots=True)
class RedisVitals:
    """`memory_limit` is the machine's memory where Redis was given none. The last two count since Redis started."""

    memory_used: int
    memory_limit: int
    clients: int
    operations_per_second: int
    persistence_ok: bool
    evicted_keys: int
    rejected_connections: int


def redis_vitals(client: redis.Redis) -> RedisVitals:
    """One INFO. Raises what Redis raises."""
    info: dict[str, Any] = client.info()
    written = (info.get(name, "ok") for name in ("aof_last_write_status", "rdb_last_bgsave_status"))
    return RedisVitals(
        memory_used=info["used_memory"],
        memory_limit=info["maxmemory"] or info["total_system_memory"],
        clients=info["connected_clients"],
        operations_per_second=info["instantaneous_ops_per_sec"],
        persistence_ok=all(status == "ok" for status in written),
        evicted_keys=info["evicted_keys"],
        rejected_connections=info["rejected_connections"],
    )


def oldest_owed_ms(client: redis.Redis, stream: str) -> int | None:
    """When the oldest entry that was given out and is not acknowledged came in; None if there is none, or no group."""
    try:
        oldest = client.xpending(stream, GROUP_ENRICHERS)["min"]
    except redis.ResponseError as error:
        if "NOGROUP" in str(error) or "no such key" in str(error):
            return None
        raise
    return int(oldest.partition(b"-")[0]) if oldest else None
