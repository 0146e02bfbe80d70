"""Every metric of this service besides those of its HTTP frame: how MongoDB is, which storage owns."""

from aro.runtime.metrics import gauge

mongo_up = gauge("mongo_up", "1 while MongoDB answers this replica of storage")
has_primary = gauge("mongo_has_primary", "1 while MongoDB has a member that takes writes")
replication_lag = gauge("mongo_replication_lag_seconds", "How far the slowest secondary is behind; 0 without any")
