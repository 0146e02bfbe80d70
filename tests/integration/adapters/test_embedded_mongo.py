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
from aro.adapters.embedded_mongo import EXIT_CODE, read_indexes_once
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


class Catalogue:
    """Asks for indexes as SecantusDB's storage does: first for all, then again for each document."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, str]] = []

    def _iter_indexes(self, db: str, coll: str) -> Iterator[str]:
        self.reads.append((db, coll))
        yield "by_time"

    def _all_indexes(self, db: str, coll: str) -> list[str]:
        return list(self._iter_indexes(db, coll))

    def _insert_chunk(self, documents: int, attempts: int = 1) -> int:
        for _ in range(attempts):
            assert self._all_indexes("db", "chains") == ["by_time"]
            for _ in range(documents):
                assert list(self._iter_indexes("db", "chains")) == ["by_time"]
        if not documents:
            raise ValueError("nothing to insert")
        return documents

    def _delete_chunk(self, coll: str) -> None:
        self._all_indexes("db", coll)
        for name in (coll, "other"):
            list(self._iter_indexes("db", name))
            list(self._iter_indexes("db", name))


def test_a_statement_reads_its_indexes_once() -> None:
    class Storage(Catalogue):
        pass

    read_indexes_once(Storage)
    storage = Storage()
    assert storage._insert_chunk(5) == 5
    assert storage.reads == [("db", "chains")]
    storage._insert_chunk(5, attempts=3)
    assert len(storage.reads) == 4, "an attempt begins anew"
    storage._delete_chunk("chains")
    assert storage.reads[4:] == [("db", "chains"), ("db", "other")]


def test_outside_a_statement_and_after_a_failed_one_indexes_are_read_each_time() -> None:
    class Storage(Catalogue):
        pass

    read_indexes_once(Storage)
    storage = Storage()
    with pytest.raises(ValueError, match="nothing"):
        storage._insert_chunk(0)
    for _ in range(2):
        list(storage._iter_indexes("db", "chains"))
    assert len(storage.reads) == 3


def test_another_release_without_these_methods_is_refused() -> None:
    with pytest.raises(AttributeError):
        read_indexes_once(type("Storage", (), {}))


@pytest.mark.parametrize("unique", [False, True])
def test_inserts_and_deletes_keep_indexes_that_come_and_go(database: mongo.MongoDatabase, unique: bool) -> None:
    collection = database["indexed"]

    def numbers() -> list[int]:
        found = collection.find({"kind": {"$gte": 3, "$lte": 5}}).hint("by_kind")
        return sorted(document["kind"] for document in found)

    collection.insert_many([{"_id": n, "kind": n} for n in range(10)])
    collection.create_index([("kind", 1)], name="by_kind", unique=unique)
    collection.insert_many([{"_id": 10 + n, "kind": 4.25 + n} for n in range(3)])
    assert numbers() == [3, 4, 4.25, 5]
    collection.drop_index("by_kind")
    collection.insert_many([{"_id": 20, "kind": 4.5}, {"_id": 21, "kind": [4.75, 70]}])
    collection.create_index([("kind", 1)], name="by_kind", unique=unique)
    collection.insert_many([{"_id": 30, "kind": 4.6}])
    collection.delete_many({"_id": {"$in": [4, 21]}})
    assert numbers() == [3, 4.25, 4.5, 4.6, 5]
    if unique:
        with pytest.raises(PyMongoError, match="duplicate"):
            collection.insert_many([{"_id": 40, "kind": 99}, {"_id": 41, "kind": 3}])


def test_the_engine_reads_how_much_may_wait_for_a_checkpoint(tmp_path: Path) -> None:
    """It says nothing of its settings when they are right: it must refuse wrong ones in the same place."""
    server = MongoServer(tmp_path)
    if "aro.adapters.embedded_mongo" not in server.command:
        pytest.skip("a mongod is on PATH, which has its own")
    [ours] = [word for word in server.command if word.startswith("WIREDTIGER_CONFIG=")]
    assert "eviction_dirty_target=" in ours
    wrong = ours.replace("eviction_dirty_target=", "eviction_dirty_aim=")
    command = [wrong if word == ours else word for word in server.command]
    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert "eviction_dirty_aim" in refused.stderr + refused.stdout
