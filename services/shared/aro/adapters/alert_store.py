"""The only door to ``alerts`` and ``alert_events``: users' own rules, and when they went off.

Everything a user asks for has the owner in the query itself. An event's `_id` is made of the alert and the snapshot
that set it off, so replicas that see the same thing store it once.
"""

import secrets
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from aro.adapters.clock import utc
from aro.adapters.mongo import Document, plain
from aro.adapters.writes import DAY_MS, ensure_expiry, ensure_index, expire, insert_new
from aro.contracts.names import COLLECTION_ALERT_EVENTS, COLLECTION_ALERTS
from aro.contracts.problems import Conflict

MOST_WATCHED: Final = 20_000
"""Rules that one process evaluates: those longest there."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `expiry` None is the nearest one at any time. `beyond` is on which side of the threshold the metric was
    last seen, None before the first time; `beyond_ts` is the source time of that change."""

    id: str
    owner: str
    product: str
    expiry: str | None
    metric: str
    op: str
    threshold: float
    once: bool
    note: str
    created_ts: int
    active: bool = True
    beyond: bool | None = None
    beyond_ts: int = 0


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`snapshot` is the id of the state that set the alert off."""

    alert: str
    owner: str
    snapshot: str
    expiry: str
    value: float
    source_ts: int


class AlertStore:
    def __init__(self, database: Database[Document]) -> None:
        self._alerts = database[COLLECTION_ALERTS]
        self._events = database[COLLECTION_ALERT_EVENTS]

    def ensure(self) -> None:
        """Create indexes. Safe to repeat."""
        # A slot is one of so many that a user has; two requests at once cannot take the same.
        self._alerts.create_index([("owner", ASCENDING), ("slot", ASCENDING)], name="owner_slot", unique=True)
        ensure_index(self._alerts, [("active", ASCENDING)], "active")
        # Time comes last: SecantusDB 0.7 loses matches at the end of a range that another key follows.
        by_time = [("owner", ASCENDING), ("alert", ASCENDING), ("source_at", DESCENDING)]
        ensure_index(self._events, by_time, "owner_alert_time")
        ensure_expiry(self._events)

    def expire(self, *, now_ms: int, days: float) -> int:
        """Delete events older than `days`; how many."""
        return expire(self._events, before_ms=now_ms - round(days * DAY_MS))

    # --- of one owner ----------------------------------------------------------------------

    def add(self, owner: str, rule: dict[str, Any], *, now_ms: int, limit: int) -> Alert:
        """Raises `Conflict` if `owner` has `limit` alerts."""
        alert = Alert(id=secrets.token_hex(12), owner=owner, created_ts=now_ms, **rule)
        while True:
            taken = {item["slot"] for item in self._alerts.find({"owner": owner}, {"slot": 1})}
            free = next((slot for slot in range(limit) if slot not in taken), None)
            if free is None:
                raise Conflict(f"at most {limit} alerts; delete one first")
            try:
                self._alerts.insert_one({**_document(alert), "slot": free})
            except DuplicateKeyError:
                continue
            return alert

    def of(self, owner: str) -> list[Alert]:
        """Oldest first."""
        return sorted(map(_alert, self._alerts.find({"owner": owner})), key=lambda item: (item.created_ts, item.id))

    def find(self, owner: str, alert_id: str) -> Alert | None:
        found = self._alerts.find_one({"_id": alert_id, "owner": owner})
        return None if found is None else _alert(found)

    def remove(self, owner: str, alert_id: str) -> bool:
        """With its events. Whether it was there."""
        removed = self._alerts.delete_one({"_id": alert_id, "owner": owner}).deleted_count == 1
        self._events.delete_many({"owner": owner, "alert": alert_id})
        return removed

    def events(self, owner: str, alert_id: str, *, now_ms: int, days: int, limit: int) -> list[AlertEvent]:
        """The newest `limit` of the last `days`, newest first."""
        found: list[AlertEvent] = []
        # Day by day: the embedded server sorts whatever a query matches.
        for day in range(days):
            span = {"$gt": utc(now_ms - (day + 1) * DAY_MS), "$lte": utc(now_ms - day * DAY_MS)}
            query = {"owner": owner, "alert": alert_id, "source_at": span}
            found += map(_event, self._events.find(query).sort("source_at", DESCENDING).limit(limit - len(found)))
            if len(found) == limit:
                break
        return found

    # --- of all, for who evaluates ---------------------------------------------------------

    def watched(self) -> list[Alert]:
        return [_alert(item) for item in self._alerts.find({"active": True}).limit(MOST_WATCHED)]

    def record(self, event: AlertEvent, *, end: bool) -> bool:
        """Store an event unless it is stored already, and end its alert if `end`; whether it was new here."""
        document = {**msgspec.structs.asdict(event), "_id": f"{event.alert}|{event.snapshot}"}
        fresh = insert_new(self._events, [{**document, "source_at": utc(event.source_ts)}]) == 1
        if end:
            self._alerts.update_one({"_id": event.alert}, {"$set": {"active": False}})
        return fresh

    def note(self, alert_id: str, *, beyond: bool, source_ts: int) -> None:
        """Remember on which side the metric is, unless something later is remembered."""
        older = {"_id": alert_id, "beyond_ts": {"$lt": source_ts}}
        self._alerts.update_one(older, {"$set": {"beyond": beyond, "beyond_ts": source_ts}})


def _document(alert: Alert) -> Document:
    fields = msgspec.structs.asdict(alert)
    fields["_id"] = fields.pop("id")
    return fields


def _alert(document: Document) -> Alert:
    fields = plain(document)
    del fields["slot"]
    return Alert(id=fields.pop("_id"), **fields)


def _event(document: Document) -> AlertEvent:
    fields = plain(document)
    del fields["_id"], fields["source_at"]
    return AlertEvent(**fields)
