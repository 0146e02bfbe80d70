"""Every read a client sends to MongoDB, and the plan the server says it has for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymongo
from bson import SON
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from aro.adapters.mongo import Document, MongoDatabase

READS: Final = ("find", "aggregate", "count", "distinct")
_ENVELOPE: Final = ("lsid", "$db", "$clusterTime", "$readPreference", "maxTimeMS", "apiVersion")


class Recorder(CommandListener):
    """`commands` are the reads in the order they were sent, without what drivers add to them."""

    def __init__(self) -> None:
        self.commands: list[Document] = []
        self.replies: list[Any] = []

    def clear(self) -> None:
        self.commands.clear()
        self.replies.clear()

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in READS:
            self.commands.append({key: value for key, value in event.command.items() if key not in _ENVELOPE})

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.command_name in READS:
            self.replies.append(event.reply)

    def failed(self, event: CommandFailedEvent) -> None:
        if event.command_name in READS:
            self.replies.append(None)


@contextmanager
def recorded(url: str, database: str) -> Iterator[tuple[MongoDatabase, Recorder]]:
    """A database with a recorder of what is read from it."""
    recorder = Recorder()
    client: MongoClient[Document] = MongoClient(url, tz_aware=True, event_listeners=[recorder])
    with client:
        yield client.get_database(database), recorder


def plan(database: pymongo.database.Database[Document], command: Document) -> Document:
    """``queryPlanner`` of what the server would do for a recorded command."""
    answer: Document = database.command(SON([("explain", SON(command)), ("verbosity", "queryPlanner")]))
    return answer
