"""The embedded MongoDB-compatible server ends when its storage engine gives up, so that it can be started again."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from aro.adapters import mongo
from aro.adapters.embedded_mongo import EXIT_CODE
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer

DISK_BYTES = 256 << 20
"""Holds the journal, which is as large as 100 MB from the start."""


def may_mount() -> bool:
    command = ["unshare", "--mount", "true"]
    return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0


needs_disk = pytest.mark.skipif(not may_mount(), reason="filling a disk needs root, who may mount one")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@needs_disk
@pytest.mark.fault
def test_a_full_disk_ends_it_and_what_was_acknowledged_is_there_again(small_disk: Path) -> None:
    server = MongoServer(small_disk)
    if "aro.adapters.embedded_mongo" not in server.command:
        pytest.skip("a mongod is on PATH, which ends by itself")
    server.start()
    try:
        stored = mongo.connect(server.url, "full", timeout=2)["documents"].with_options(
            write_concern=WriteConcern(j=True)
        )
        acknowledged = fill(stored)
        eventually(lambda: ended_when_asked(server, stored), "the server to end", seconds=20)
        assert server.stop() == EXIT_CODE
        # With a journal and tables on one disk nothing but room helps.
        subprocess.run(["mount", "-o", f"remount,size={4 * DISK_BYTES}", str(small_disk)], check=True)
        server.start()
        found = {document["_id"] for document in stored.find({}, {"_id": 1})}
        assert acknowledged <= found
        assert acknowledged, "it was not full from the start"
        stored.database.client.close()
    finally:
        server.kill()


def ended_when_asked(server, collection) -> bool:
    """Not a ping: it answers those whatever happens."""
    with contextlib.suppress(PyMongoError):
        collection.find_one({})
    return not server.is_running


def fill(collection) -> set[int]:
    """Insert until the server fails; what it acknowledged."""
    acknowledged: set[int] = set()
    for number in range(2 * DISK_BYTES >> 20):
        try:
            collection.insert_one({"_id": number, "bytes": os.urandom(1 << 20)})
        except PyMongoError:
            return acknowledged
        acknowledged.add(number)
    raise AssertionError("the disk was never full")
