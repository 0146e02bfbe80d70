"""Metrics of the role beat alone; apart, because a process that does not set a gauge would serve it as 0."""

from aro.runtime.metrics import gauge

redis_up = gauge("redis_up", "1 while Redis answers the role beat")
redis_memory_used = gauge("redis_memory_used_bytes", "Memory that Redis has allocated")
redis_memory_limit = gauge("redis_memory_limit_bytes", "Memory that Redis may use; the machine's where it has no limit")
redis_clients = gauge("redis_connected_clients", "Connections that Redis holds")
redis_operations = gauge("redis_operations_per_second", "Commands per second, by Redis' own reckoning")
redis_evicted = gauge("redis_evicted_keys", "Keys evicted for want of memory since Redis started")
redis_rejected = gauge("redis_rejected_connections", "Connections refused over maxclients since Redis started")
redis_persistence = gauge("redis_persistence_ok", "1 unless the last write to disk failed")
oldest_pending = gauge("pipeline_oldest_pending_seconds", "Age of the oldest entry that is still owed", ["stream"])
dead_letters_kept = gauge("dead_letter_entries", "Dead letters that nobody has sent again or dropped yet")
