"""What the driver knows about MongoDB's members anyway; it asks for no right that a reader lacks."""

from dataclasses import dataclass

from aro.adapters import mongo
from aro.adapters.mongo import MongoDatabase, MongoError


@dataclass(frozen=True, slots=True)
class MongoVitals:
    """`replication_lag` is that of the secondary that is furthest behind, in seconds; 0 without secondaries."""

    is_up: bool
    has_primary: bool
    replication_lag: float


def mongo_vitals(database: MongoDatabase) -> MongoVitals:
    """Takes as long as a ping; what does not answer is not up. A server of its own counts as a primary."""
    try:
        mongo.ping(database)
        is_up = True
    except MongoError:
        is_up = False
    known = database.client.topology_description
    written = [
        (member.server_type_name, member.last_write_date)
        for member in known.server_descriptions().values()
        if member.last_write_date is not None
    ]
    primary = max((when for kind, when in written if kind == "RSPrimary"), default=None)
    behind = [primary - when for kind, when in written if kind == "RSSecondary"] if primary is not None else []
    lag = max(behind, default=0.0)
    return MongoVitals(is_up=is_up, has_primary=known.has_writable_server(), replication_lag=max(0.0, lag))
