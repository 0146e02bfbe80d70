"""Bring a database to the schema of this program: collections, validators, indexes, and changes of data, in this order.

Everything is idempotent and holds no lock, so that it may run beside a live system, and twice at once. A database that
a newer program has migrated is left as it is.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from pymongo.errors import OperationFailure

from aro.adapters.alert_store import AlertStore
from aro.adapters.bar_store import BarStore
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import Clock, utc
from aro.adapters.invitation_store import InvitationStore
from aro.adapters.iv_history_store import IvHistoryStore
from aro.adapters.log_store import LogStore
from aro.adapters.mongo import MongoDatabase
from aro.adapters.passed_over_store import PassedOverStore
from aro.adapters.personal_token_store import PersonalTokenStore
from aro.adapters.session_store import SessionStore
from aro.adapters.surface_store import SurfaceStore
from aro.adapters.tick_store import TickStore
from aro.adapters.user_store import UserStore
from aro.adapters.writes import INDEX_NOT_FOUND, insert_new
from aro.contracts import names
from aro.runtime.logs import get_logger
from storage_service.validators import VALIDATORS

log = get_logger(__name__)

STORES: Final[tuple[Callable[[Any], Any], ...]] = (
    *(ChainStore, TickStore, IvHistoryStore, SurfaceStore, BarStore, PassedOverStore),
    *(UserStore, SessionStore, PersonalTokenStore, InvitationStore, LogStore, AlertStore),
)
"""Whatever declares indexes, in its method `ensure`."""

_NAMESPACE_EXISTS: Final = 48
_NOT_SUPPORTED: Final = frozenset({59, 72, 115, 238, 40415})
"""What servers without validators answer: no such command, invalid option, not supported, unknown field."""


@dataclass(frozen=True, slots=True)
class Version:
    """`change` works on data and must be safe to repeat, also while another process does the same."""

    number: int
    name: str
    change: Callable[[MongoDatabase], None] = lambda _: None


def _drop_ttl_indexes(database: MongoDatabase) -> None:
    # The embedded server works off TTL indexes by reading whole collections under its lock: retention is a sweep.
    for name in (names.COLLECTION_CHAINS, names.COLLECTION_METRICS, names.COLLECTION_LATEST, names.COLLECTION_TICKS):
        if "source_at_ttl" in database[name].index_information():
            try:
                database[name].drop_index("source_at_ttl")
            except OperationFailure as error:
                if error.code != INDEX_NOT_FOUND:
                    raise


def _drop_time_indexes(database: MongoDatabase) -> None:
    # Retention goes by expiry, along the index that queries use; this one made every insert a third dearer.
    for name in (names.COLLECTION_CHAINS, names.COLLECTION_METRICS):
        if "source_at" in database[name].index_information():
            try:
                database[name].drop_index("source_at")
            except OperationFailure as error:
                if error.code != INDEX_NOT_FOUND:
                    raise


VERSIONS: Final = (
    Version(1, "chains, metrics, ticks, volatility history, users"),
    Version(2, "retention is a sweep, not a TTL index", _drop_ttl_indexes),
    Version(3, "surfaces, bars, presence, sessions, tokens, logs, alerts; validators"),
    Version(4, "chains and metrics are retired expiry by expiry", _drop_time_indexes),
    Version(5, "what overload passed over"),
)
"""Append one whenever a collection, a validator or an index changes."""


def pending(database: MongoDatabase) -> list[str]:
    """What `migrate` would do, in words; empty if there is nothing."""
    if _is_newer(database):
        return []
    return [
        *(f"validator of {name}" for name in _unvalidated(database)),
        *_missing_indexes(database),
        *(f"version {version.number}: {version.name}" for version in _unapplied(database)),
    ]


def migrate(database: MongoDatabase, clock: Clock) -> list[str]:
    """Do what is pending, and say what that was. Raises `MongoError`; what was done by then stays done."""
    if _is_newer(database):
        log.warning("a newer program has migrated this database; it is left as it is")
        return []
    done = pending(database)
    _validate(database, _unvalidated(database))
    for store in STORES:
        store(database).ensure()
    versions = database[names.COLLECTION_MIGRATIONS]
    for version in _unapplied(database):
        version.change(database)
        insert_new(versions, [{"_id": version.number, "name": version.name, "applied_at": utc(clock.now_ms())}])
    if done:
        log.info("migrated", changes=len(done), version=VERSIONS[-1].number)
    return done


def version_of(database: MongoDatabase) -> int:
    """The newest version that was applied, 0 if none was."""
    return max(_applied(database), default=0)


# --- versions ------------------------------------------------------------------------------


def _applied(database: MongoDatabase) -> set[int]:
    return {int(document["_id"]) for document in database[names.COLLECTION_MIGRATIONS].find({}, {"_id": 1})}


def _unapplied(database: MongoDatabase) -> list[Version]:
    applied = _applied(database)
    return [version for version in VERSIONS if version.number not in applied]


def _is_newer(database: MongoDatabase) -> bool:
    return version_of(database) > VERSIONS[-1].number


# --- validators ----------------------------------------------------------------------------


def _unvalidated(database: MongoDatabase) -> list[str]:
    """Collections that are missing or have another validator; none on a server that keeps no validators."""
    options = {item["name"]: item.get("options", {}) for item in database.list_collections()}
    versions = options.get(names.COLLECTION_MIGRATIONS)
    if versions is not None and "validator" not in versions:
        # It was made with one, and the server refused or forgot it.
        return []
    return [
        name for name, schema in VALIDATORS.items() if options.get(name, {}).get("validator") != {"$jsonSchema": schema}
    ]


def _validate(database: MongoDatabase, collections: Iterable[str]) -> None:
    for name in collections:
        rule = {
            "validator": {"$jsonSchema": VALIDATORS[name]},
            # Documents from before the rule can still be changed.
            "validationLevel": "moderate",
            "validationAction": "error",
        }
        try:
            _create_or_change(database, name, rule)
        except OperationFailure as error:
            if error.code not in _NOT_SUPPORTED:
                raise
            log.warning("this server keeps no validators", **{"error.code": error.code})
            return


def _create_or_change(database: MongoDatabase, name: str, rule: dict[str, Any]) -> None:
    try:
        database.create_collection(name, check_exists=False, **rule)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise
        database.command("collMod", name, **rule)


# --- indexes -------------------------------------------------------------------------------


def _missing_indexes(database: MongoDatabase) -> list[str]:
    rehearsal = _Rehearsal(database)
    for store in STORES:
        store(rehearsal).ensure()
    return rehearsal.changes


class _Rehearsal:
    """Stands in for a database while stores declare their indexes, and notes what that would change."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._collections: dict[str, _RehearsedCollection] = {}
        self.changes: list[str] = []

    def __getitem__(self, name: str) -> "_RehearsedCollection":
        if name not in self._collections:
            self._collections[name] = _RehearsedCollection(name, self._database[name].index_information(), self.changes)
        return self._collections[name]


class _RehearsedCollection:
    def __init__(self, name: str, indexes: Any, changes: list[str]) -> None:
        self._name = name
        self._indexes: dict[str, Any] = dict(indexes)
        self._changes = changes

    def with_options(self, **_: Any) -> "_RehearsedCollection":
        return self

    def index_information(self) -> dict[str, Any]:
        return self._indexes

    def create_index(self, keys: str | Iterable[tuple[str, int]], *, name: str, **options: Any) -> None:
        wanted = [(keys, 1)] if isinstance(keys, str) else [*keys]
        known = self._indexes.get(name)
        if known is None or [*known["key"]] != wanted:
            self._changes.append(f"index {self._name}.{name}")
            self._indexes[name] = {"key": wanted, **options}

    def drop_index(self, name: str) -> None:
        self._changes.append(f"index {self._name}.{name} goes")
        self._indexes.pop(name, None)
