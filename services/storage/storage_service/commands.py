"""``python -m storage_service migrate`` and ``provision``: by hand, beside a live system or before one."""

import argparse
import os
import sys
from collections.abc import Sequence

from aro.adapters import mongo
from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoError
from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from storage_service.migrations import migrate, pending, version_of
from storage_service.provision import provision
from storage_service.settings import MigrateSettings, ProvisionSettings


def migrate_command(arguments: Sequence[str]) -> int:
    """0 done, or nothing to do; 1 with ``--check`` if something is pending; 2 if it cannot be known."""
    parser = argparse.ArgumentParser(prog="python -m storage_service migrate")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is pending")
    options = parser.parse_args(arguments)
    try:
        settings = load(MigrateSettings, os.environ)
    except SettingsError as error:
        return _cannot("migrate", str(error))
    database = mongo.connect(str(settings.mongo_url), settings.mongo_database, timeout=60.0)
    try:
        mongo.ping(database)
        changes = pending(database) if options.check else migrate(database, SystemClock())
        version = version_of(database)
    except MongoError as error:
        return _cannot("migrate", f"MongoDB does not answer as it should: {type(error).__name__}")
    finally:
        database.client.close()
    is_pending = options.check and bool(changes)
    lines = [f"{'pending' if is_pending else 'done'}: {change}" for change in changes]
    summary = f"schema version {version}; {'changes are pending' if is_pending else 'nothing is pending'}"
    print(*lines, summary, sep="\n")  # noqa: T201 - a command line talks to a person
    return 1 if is_pending else 0


def provision_command(arguments: Sequence[str]) -> int:
    """0 done; 2 if it cannot be. What is new to a fresh MongoDB is a server's log, so it is written as one."""
    argparse.ArgumentParser(prog="python -m storage_service provision").parse_args(arguments)
    configure_logs("storage-provision", level="INFO")
    try:
        provision(load(ProvisionSettings, os.environ), SystemClock())
    except SettingsError as error:
        return _cannot("provision", str(error))
    except MongoError as error:
        return _cannot("provision", f"{type(error).__name__}: {error}"[:300])
    return 0


def _cannot(command: str, reason: str) -> int:
    print(f"storage cannot {command}: {reason}", file=sys.stderr)  # noqa: T201
    return 2
