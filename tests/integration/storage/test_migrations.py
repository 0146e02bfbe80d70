"""From nothing, from an older schema, twice at once and beside a live system: the same schema in the end."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.errors import WriteError

from aro.adapters import mongo
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tick_store import TickStore
from aro.testing import enriched
from aro.testing.servers import MongoServer
from storage_service import migrations
from storage_service.migrations import VERSIONS, migrate, pending, version_of
from storage_service.validators import VALIDATORS

CLOCK = SystemClock()
DATABASE = "aro_migrations_test"


@pytest.fixture
def empty(mongo_server: MongoServer) -> Iterator[MongoDatabase]:
    opened = mongo.connect(mongo_server.url, DATABASE)
    opened.client.drop_database(DATABASE)
    yield opened
    opened.client.drop_database(DATABASE)
    opened.client.close()


def schema(database: MongoDatabase) -> dict[str, Any]:
    return {
        item["name"]: (item["options"].get("validator"), database[item["name"]].index_information())
        for item in database.list_collections()
    }


def command(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    environ = {**own, "ARO_MONGO_URL": database_url, "ARO_MONGO_DATABASE": DATABASE}
    line = [sys.executable, "-m", "storage_service", *arguments]
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_migrating_twice_changes_nothing_the_second_time(empty: MongoDatabase) -> None:
    announced = pending(empty)
    assert migrate(empty, CLOCK) == announced
    assert len(announced) > len(VALIDATORS) + len(VERSIONS)
    assert pending(empty) == migrate(empty, CLOCK) == []
    assert version_of(empty) == VERSIONS[-1].number
    found = schema(empty)
    assert {name: validator for name, (validator, _) in found.items()} == {
        name: {"$jsonSchema": rule} for name, rule in VALIDATORS.items()
    }
    assert found["users"][1]["email_unique"]["unique"]


def test_the_command_says_what_is_pending_and_does_it(empty: MongoDatabase, mongo_server: MongoServer) -> None:
    check = command(mongo_server.url, "migrate", "--check")
    assert check.returncode == 1, check.stderr
    assert "pending: index chain_snapshots.product_expiry_time" in check.stdout
    assert empty.list_collection_names() == []
    done = command(mongo_server.url, "migrate")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"schema version {VERSIONS[-1].number}; nothing is pending",
    )
    assert done.stdout.count("done: ") == check.stdout.count("pending: ")
    assert command(mongo_server.url, "migrate", "--check").returncode == 0
    empty["ticks"].drop_index("product_time")
    assert command(mongo_server.url, "migrate", "--check").returncode == 1


def test_what_cannot_be_done_is_said(mongo_server: MongoServer) -> None:
    assert command("mongodb://127.0.0.1:1", "migrate", "--check").returncode == 2
    unknown = command(mongo_server.url, "migrat")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "migrate" in unknown.stderr


def test_many_at_once_beside_a_live_system(empty: MongoDatabase, mongo_server: MongoServer) -> None:
    """From an old schema, while chains are stored: nothing is refused, nothing is lost, and all end alike."""
    for name in ("chain_snapshots", "chain_metrics"):
        ttl = {"name": "source_at_ttl", "expireAfterSeconds": 7_200}
        empty[name].create_index("source_at", **(ttl if name == "chain_snapshots" else {"name": "source_at"}))
        empty[name].create_index([("expiry", 1)], name="product_expiry_time")
    ChainStore(empty).save([enriched.record(enriched.SNAPSHOT_TS + n) for n in range(300)])
    stop = threading.Event()
    stored: list[int] = []

    def work() -> None:
        store = ChainStore(empty)
        while not stop.is_set():
            at = enriched.SNAPSHOT_TS + 1_000 + len(stored)
            store.save([enriched.record(at)])
            stored.append(at)

    worker = threading.Thread(target=work)
    worker.start()
    databases = [mongo.connect(mongo_server.url, DATABASE, timeout=30) for _ in range(4)]
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda database: migrate(database, CLOCK), databases))
    finally:
        stop.set()
        worker.join()
        for database in databases:
            database.client.close()
    assert pending(empty) == []
    indexes = empty["chain_snapshots"].index_information()
    assert indexes.keys().isdisjoint({"source_at_ttl", "source_at"})
    assert [name for name, _ in indexes["product_expiry_time"]["key"]] == ["product", "expiry", "source_at"]
    assert stored
    assert empty["chain_metrics"].count_documents({}) == 300 + len(stored)
    assert [document["_id"] for document in empty["schema_migrations"].find({}).sort("_id", 1)] == [
        version.number for version in VERSIONS
    ]


def test_a_newer_database_is_left_as_it_is(empty: MongoDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty, CLOCK)
    newer = VERSIONS[-1].number + 1
    empty["schema_migrations"].insert_one({"_id": newer, "name": "of tomorrow", "applied_at": mongo_now()})
    changed = {**VALIDATORS, "ticks": {"bsonType": "object"}}
    monkeypatch.setattr(migrations, "VALIDATORS", changed)
    before = schema(empty)
    assert pending(empty) == migrate(empty, CLOCK) == []
    assert schema(empty) == before
    empty["schema_migrations"].delete_one({"_id": newer})
    assert pending(empty) == ["validator of ticks"]


def test_a_change_of_data_that_fails_is_tried_again(empty: MongoDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def change(database: MongoDatabase) -> None:
        tries.append(database["ticks"].estimated_document_count())
        if len(tries) == 1:
            raise mongo.MongoError("away")

    added = migrations.Version(VERSIONS[-1].number + 1, "a change", change)
    monkeypatch.setattr(migrations, "VERSIONS", (*VERSIONS, added))
    with pytest.raises(mongo.MongoError):
        migrate(empty, CLOCK)
    assert pending(empty) == [f"version {added.number}: a change"]
    assert migrate(empty, CLOCK) == [*pending(empty), f"version {added.number}: a change"]
    assert len(tries) == 2


def test_documents_that_are_wrong_are_refused_and_more_fields_are_not(empty: MongoDatabase) -> None:
    """Of types too, but in what is written thousands of times a second."""
    migrate(empty, CLOCK)
    ChainStore(empty).save([enriched.record()])
    TickStore(empty).save([enriched.tick()])
    for name in ("chain_snapshots", "chain_metrics", "chain_latest", "ticks"):
        [document] = empty[name].find({})
        empty[name].insert_one({**document, "_id": "more", "of_tomorrow": 1})
        types = ({"product": 5}, {"source_at": "2026-11-22"}, {"source_seq": "7"})
        for wrong in types if name in ("chain_latest", "ticks") else ():
            with pytest.raises(WriteError):
                empty[name].insert_one({**document, "_id": "wrong", **wrong})
        del document["product"]
        with pytest.raises(WriteError):
            empty[name].insert_one({**document, "_id": "less"})


def mongo_now() -> Any:
    return migrations.utc(CLOCK.now_ms())
