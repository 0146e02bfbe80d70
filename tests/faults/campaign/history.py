"""The history of a campaign: JSON lines, each an object with `kind` and `at` (UTC epoch milliseconds of one clock).

| kind | fields | what it says |
|---|---|---|
| `made` | `ids` | the feed numbered these chains and ticks; some may never reach the ledger |
| `acknowledged` | `ids`, `stamp` | Redis confirmed them to the feed, by the feed's own clock at `stamp` |
| `fault` | `number`, `name`, `target`, `detail` | the nemesis begins |
| `healed` | `number` | the cause is gone, and whoever was killed runs again |
| `recovered` | `number`, `ok` | everybody has fresh news and nothing from before is owed; else not in time |
| `held` | `ids` | what the ledger held at the moment when Redis lost everything |
| `poison` | `entry`, `reason` | an entry that must become a dead letter for this reason |
| `silent` | `channel`, `epoch`, `seq` | a state that was written and logged, but not announced |
| `client` | `client`, `event`, … | what a client was told: see `RecordedContinuity` |
| `stored` | `collection`, `id`, `times`, `content`, `exact` | MongoDB at the end |
| `live` | `channel`, `epoch`, `seq`, `source_seq`, `exact` | Redis at the end |
| `dead` | `entry`, `id`, `reason` | dead letters at the end |
| `end` | `drained` | the feed has stopped; whether the ledger became empty |

`content` and `exact` are digests of a state, without and with the time at which it was computed.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

Event = dict[str, Any]

_sorted = msgspec.json.Encoder(order="sorted")
_event = msgspec.json.Decoder(dict[str, Any])
COMPUTED = "computed_ts"


def digests(state: Any) -> tuple[str, str]:
    """(content, exact) of a decoded state. Numbers are compared as numbers, members in any order."""
    computed = None
    if isinstance(state, dict) and COMPUTED in state:
        state = dict(state)
        computed = state.pop(COMPUTED)
    content = hashlib.blake2b(_sorted.encode(state), digest_size=8).hexdigest()
    return content, f"{content} {computed}"


class Recorder:
    """Appends events from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._lock = threading.Lock()
        self._encode = msgspec.json.Encoder().encode

    def note(self, kind: str, /, *, at: float | None = None, **fields: Any) -> float:
        """`at` is now unless given; returns it."""
        when = time.time() * 1000 if at is None else at
        line = self._encode({"kind": kind, "at": round(when, 1), **fields}) + b"\n"
        with self._lock:
            self._file.write(line)
        return when

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read(path: Path) -> Iterator[Event]:
    """Events in the order in which they were noted."""
    with path.open("rb") as file:
        for line in file:
            yield _event.decode(line)
