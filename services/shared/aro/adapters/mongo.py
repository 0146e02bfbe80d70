"""One way to connect to MongoDB. Collections are opened by their own modules only (`*_store`)."""

from typing import Any, Final

import pymongo
from bson.int64 import Int64
from pymongo import MongoClient, WriteConcern
from pymongo.database import Database
from pymongo.errors import PyMongoError

MongoError = PyMongoError
Document = dict[str, Any]
MongoDatabase = Database[Document]

DURABLE: Final = WriteConcern(w="majority", j=True, wtimeout=5_000)
"""What is acknowledged survives kill -9; w:1 lost 1–19 of 5,000 acknowledged inserts when measured."""

FOLLOWED: Final = WriteConcern(w=1)
"""Of writes that a durable one of the same process follows before anything relies on them: the journal is one
sequence, so that one wait for the disk covers them all. The embedded server waits once for every statement."""

DUPLICATE_KEY: Final = 11000

PING_SECONDS: Final = 1.0

deadline = pymongo.timeout
"""``with deadline(seconds):`` bounds everything asked inside, server selection included; the shorter one wins."""


def connect(url: str, database: str, *, timeout: float = 5.0, selection_timeout: float = 3.0) -> Database[Document]:
    """A database whose every operation answers or raises within `timeout` seconds. Create it after a fork."""
    client: MongoClient[Document] = MongoClient(
        url,
        serverSelectionTimeoutMS=round(selection_timeout * 1000),
        connectTimeoutMS=1_000,
        timeoutMS=round(timeout * 1000),
        maxPoolSize=16,
        tz_aware=True,
        appname="option-aro",
    )
    return client.get_database(database, write_concern=DURABLE)


def ping(database: Database[Document]) -> None:
    with deadline(PING_SECONDS):
        database.client.admin.command("ping")


def plain(document: Document) -> Document:
    """The top level of a document with its 64-bit integers as Python's own, which encoders know."""
    return {key: int(value) if type(value) is Int64 else value for key, value in document.items()}


def is_duplicate_id(write_error: Document) -> bool:
    """True if a write failed only because its `_id` is stored already, which for us is success."""
    key = write_error.get("keyPattern")
    return write_error.get("code") == DUPLICATE_KEY and (key is None or list(key) == ["_id"])
