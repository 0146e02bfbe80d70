"""SecantusDB as a process, with two of its ways mended: ``python -m aro.adapters.embedded_mongo …``.

On a full disk WiredTiger panics and says that the process must exit and restart. mongod does so; SecantusDB 0.7 goes
on, answers pings, and refuses everything else for ever. Whoever started the process starts it again.

And it reads the catalogue of a collection's indexes three times for each document of an insert, which is a third of
what an insert costs it; `read_indexes_once` lets a statement read it once.
"""

import contextlib
import functools
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

PANIC: Final = "WT_PANIC"
EXIT_CODE: Final = 70


class EndOnPanic(logging.Handler):
    """Ends the process at the first logged error that is a panic of the storage engine."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and PANIC in str(error):
            with contextlib.suppress(OSError):  # its log may be on the disk that is full
                sys.stderr.write(f"the storage engine gave up: {error}\n")
                sys.stderr.flush()
            # Nothing is left to close: the engine takes no calls any more, and its journal has what it acknowledged.
            os._exit(EXIT_CODE)


STATEMENTS: Final = ("_insert_chunk", "_delete_chunk")
"""Methods of its storage that go through many documents under their collection's lock."""


def read_indexes_once(storage: Any) -> None:
    """Make a class like SecantusDB's `Storage` read its index catalogue once in each of `STATEMENTS`.

    Nobody else changes it meanwhile, for that takes the same lock; what a statement itself changes in it (that an
    index has met an array) it also takes from its first reading. Raises AttributeError where there is no such method.
    """
    statement = threading.local()
    read, begin = storage._iter_indexes, storage._all_indexes

    def iter_indexes(self: Any, db: str, coll: str) -> Iterable[Any]:
        held = getattr(statement, "held", None)
        if held is None:
            return read(self, db, coll)  # type: ignore[no-any-return]
        if (db, coll) not in held:
            held[db, coll] = list(read(self, db, coll))
        return held[db, coll]  # type: ignore[no-any-return]

    def all_indexes(self: Any, db: str, coll: str) -> Any:
        if getattr(statement, "held", None) is not None:
            statement.held.clear()  # each attempt asks for this first, when it has the lock
        return begin(self, db, coll)

    def remembering(run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            statement.held = {}
            try:
                return run(*arguments, **options)
            finally:
                statement.held = None

        return wrapper

    for name in STATEMENTS:
        setattr(storage, name, remembering(getattr(storage, name)))
    storage._iter_indexes, storage._all_indexes = iter_indexes, all_indexes


def main() -> int:
    from secantus import cli
    from secantus.storage import Storage

    read_indexes_once(Storage)
    logging.getLogger("secantus").addHandler(EndOnPanic())
    return int(cli.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
