"""What a fresh MongoDB needs before the services can use it: its replica set, their account, and the collections.

The collections come first because SecantusDB 0.7 hangs for ever when one connection creates a collection while another
inserts the first document into it.

Safe to repeat. A server without replica sets, or one that asks nobody for a password, is used as it is, and the log
says so.
"""

import time
from contextlib import ExitStack
from typing import Any, Final

from pymongo.errors import ConnectionFailure

from aro.adapters import mongo
from aro.adapters.clock import Clock
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.runtime.logs import get_logger
from storage_service.migrations import migrate
from storage_service.settings import ProvisionSettings

log = get_logger(__name__)

ACCOUNT: Final = "aro"
PATIENCE_SECONDS: Final = 60.0
COMMAND_SECONDS: Final = 60.0
"""An index over what an older version stored takes its time."""
_RETRY_SECONDS: Final = 1.0
_COMMAND_NOT_FOUND: Final = 59
_ALREADY_INITIALIZED: Final = 23
_USER_NOT_FOUND: Final = 11
_AUTHENTICATION_FAILED: Final = 18


def provision(settings: ProvisionSettings, clock: Clock) -> None:
    """Raises `MongoError` if the server refuses, or does not answer for `PATIENCE_SECONDS`: it may be recovering."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            _provision(settings, clock)
            return
        except ConnectionFailure as error:
            if time.monotonic() > deadline:
                raise
            log.warning("MongoDB is away; trying again", **{"error.type": type(error).__name__})
            time.sleep(_RETRY_SECONDS)


def _provision(settings: ProvisionSettings, clock: Clock) -> None:
    with ExitStack() as opened:
        admin = _log_in(opened, settings.root_url)
        _initiate(admin, settings)
        primary = _primary(opened, admin, settings)
        _create_account(primary, settings)
        migrate(primary.client.get_database(settings.database, write_concern=primary.write_concern), clock)


def _open(opened: ExitStack, url: str) -> MongoDatabase:
    admin = mongo.connect(url, "admin", timeout=COMMAND_SECONDS)
    opened.callback(admin.client.close)
    return admin


def _log_in(opened: ExitStack, root_url: str) -> MongoDatabase:
    """Through the first account; where the server knows none and asks for none, without."""
    admin = _open(opened, root_url)
    try:
        admin.command("ping")
    except MongoError as error:
        if _code(error) != _AUTHENTICATION_FAILED:
            raise
        scheme, _, rest = root_url.partition("://")
        admin = _open(opened, f"{scheme}://{rest.rpartition('@')[2]}")
        admin.command("listDatabases")  # raises where a password is needed: then ours is wrong
        log.warning("this server asks nobody for a password")
    return admin


def _initiate(admin: MongoDatabase, settings: ProvisionSettings) -> None:
    if "setName" not in admin.command("hello"):
        members = [{"_id": number, "host": host} for number, host in enumerate(settings.members)]
        try:
            admin.command("replSetInitiate", {"_id": settings.replica_set, "members": members})
        except MongoError as error:
            if _code(error) == _COMMAND_NOT_FOUND:
                log.warning("this server has no replica sets")
                return
            if _code(error) != _ALREADY_INITIALIZED:
                raise
    _await_primary(admin)


def _await_primary(admin: MongoDatabase) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not admin.command("hello").get("primary"):
        if time.monotonic() > deadline:
            raise mongo.MongoError(f"no primary after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.2)


def _primary(opened: ExitStack, admin: MongoDatabase, settings: ProvisionSettings) -> MongoDatabase:
    """Accounts can be made on the primary only, which need not be the member that was spoken to so far."""
    if len(settings.members) == 1:
        return admin
    credentials = settings.root_url.partition("://")[2].rpartition("@")[0]
    options = f"authSource=admin&replicaSet={settings.replica_set}"
    return _open(opened, f"mongodb://{credentials}@{','.join(settings.members)}/?{options}")


def _create_account(admin: MongoDatabase, settings: ProvisionSettings) -> None:
    roles = [{"role": role, "db": settings.database} for role in ("readWrite", "dbAdmin")]
    rights: dict[str, Any] = {"pwd": settings.password, "roles": roles}
    try:
        admin.command("updateUser", ACCOUNT, **rights)
    except MongoError as error:
        if _code(error) != _USER_NOT_FOUND:
            raise
        admin.command("createUser", ACCOUNT, **rights)
    log.info("the services' account is ready", account=ACCOUNT)


def _code(error: MongoError) -> int | None:
    return getattr(error, "code", None)
