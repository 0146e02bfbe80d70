"""The ledger: Redis streams with one consumer group. An entry leaves only when it was acknowledged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import redis

from aro.contracts.names import FIELD_MESSAGE, GROUP_ENRICHERS, KEY_PASSED_OVER, LEDGER_STREAMS

_FIELD: Final = FIELD_MESSAGE.encode()
_FETCH: Final = files("aro.adapters").joinpath("fetch.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry taken back from a worker that did not acknowledge it; `deliveries` counts this claim too."""

    id: str
    deliveries: int


Seen = Callable[[bytes], object]


def _unseen(_: bytes) -> None:
    """Of those who only need ids."""


class Ledger:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._fetch = client.register_script(_FETCH)

    def append(self, entries: Sequence[tuple[str, bytes]]) -> list[str]:
        """XADD each (stream, message) in one round trip; the ids. Raises if the server refused any."""
        pipe = self._redis.pipeline(transaction=False)
        for stream, message in entries:
            pipe.xadd(stream, {FIELD_MESSAGE: message})
        return [entry_id.decode() for entry_id in pipe.execute()]

    def lengths(self) -> dict[str, int]:
        """Entries per stream that no worker has acknowledged yet (plus at most a second of trimmed ones)."""
        pipe = self._redis.pipeline(transaction=False)
        for stream in LEDGER_STREAMS:
            pipe.xlen(stream)
        return dict(zip(LEDGER_STREAMS, pipe.execute(), strict=True))

    def ensure_groups(self) -> None:
        """Create streams and group where missing, from the first entry on. Safe to repeat."""
        for stream in LEDGER_STREAMS:
            try:
                self._redis.xgroup_create(stream, GROUP_ENRICHERS, id="0", mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def read_new(
        self, consumer: str, *, count: int, block_ms: int | None, seen: Seen = _unseen
    ) -> dict[str, list[str]]:
        """Ids of entries never delivered before, by stream; empty after `block_ms` without any, None not waiting.
        `seen` is called with the message of each.

        An idle server looks at its blocked clients only every 100 ms, so a short block may last that long.
        """
        answer: Any = self._redis.xreadgroup(
            GROUP_ENRICHERS, consumer, dict.fromkeys(LEDGER_STREAMS, ">"), count=count, block=block_ms
        )
        pairs = answer.items() if isinstance(answer, Mapping) else answer or []
        found = {stream.decode(): _flat(entries) for stream, entries in pairs}
        _show(seen, (entry for entries in found.values() for entry in entries))
        return {stream: [entry_id.decode() for entry_id, _ in entries] for stream, entries in found.items()}

    def fetch(self, stream: str, ids: Sequence[str]) -> list[bytes | None]:
        """Messages in the order of `ids`; None where the entry is gone, empty where it has no message field."""
        if not ids:
            return []
        found: list[bytes | None] = self._fetch(keys=[stream], args=[FIELD_MESSAGE, *ids])
        return found

    def ack(self, stream: str, ids: Sequence[str]) -> None:
        if ids:
            self._redis.xack(stream, GROUP_ENRICHERS, *ids)

    def reclaim(
        self, stream: str, consumer: str, *, min_idle_ms: int, count: int, seen: Seen = _unseen
    ) -> list[Claimed]:
        """Take over entries that nobody acknowledged for `min_idle_ms`, oldest first. `seen` as in `read_new`.

        Entries that vanished from the stream meanwhile are acknowledged by the server itself.
        """
        _, entries, _ = self._redis.xautoclaim(
            stream, GROUP_ENRICHERS, consumer, min_idle_time=min_idle_ms, start_id="0-0", count=count
        )
        ids = [entry_id.decode() for entry_id, _ in entries]
        if not ids:
            return []
        _show(seen, entries)
        pipe = self._redis.pipeline(transaction=False)
        for entry_id in ids:
            pipe.xpending_range(stream, GROUP_ENRICHERS, min=entry_id, max=entry_id, count=1)
        return [
            Claimed(entry_id, pending[0]["times_delivered"])
            for entry_id, pending in zip(ids, pipe.execute(), strict=True)
            if pending
        ]

    def forgive(self, stream: str, consumer: str, ids: Sequence[str]) -> None:
        """Count this delivery as none: the entry did not fail, a server it needed was away."""
        if ids:
            self._redis.xclaim(
                stream,
                GROUP_ENRICHERS,
                consumer,
                min_idle_time=0,
                message_ids=list(ids),
                retrycount=1,
                justid=True,
            )

    def trim(self, stream: str) -> None:
        """Drop what every worker has acknowledged, so that the stream holds only what is still owed."""
        groups = [g for g in self._redis.xinfo_groups(stream) if g["name"] == GROUP_ENRICHERS.encode()]
        if not groups:
            return
        pending = self._redis.xpending(stream, GROUP_ENRICHERS)
        first_owed = pending["min"] if pending["pending"] else _next_id(groups[0]["last-delivered-id"])
        self._redis.xtrim(stream, minid=first_owed, approximate=False)

    def lag(self, stream: str) -> int:
        """Entries not yet delivered to any consumer."""
        for group in self._redis.xinfo_groups(stream):
            if group["name"] == GROUP_ENRICHERS.encode():
                return int(group["lag"] or 0)
        return 0

    def note_passed_over(self, entries: int) -> None:
        """How many wait elsewhere now, stored raw, to be enriched."""
        self._redis.set(KEY_PASSED_OVER, entries)

    def passed_over(self) -> int:
        """As last noted."""
        return int(self._redis.get(KEY_PASSED_OVER) or 0)

    def pending(self, stream: str) -> int:
        """Entries delivered and not yet acknowledged."""
        return int(self._redis.xpending(stream, GROUP_ENRICHERS)["pending"])

    def owed(self, stream: str) -> tuple[int, int | None]:
        """`pending`, and the UTC epoch millisecond at which the oldest of them came in."""
        found = self._redis.xpending(stream, GROUP_ENRICHERS)
        return int(found["pending"]), int(found["min"].partition(b"-")[0]) if found["min"] else None


def _show(seen: Seen, entries: Iterable[Any]) -> None:
    for _, fields in entries:
        message = fields.get(_FIELD) if fields else None
        if message is not None:
            seen(message)


def _flat(entries: Any) -> Any:
    # RESP3 answers nest a stream's entries one level deeper than RESP2.
    return entries[0] if entries and isinstance(entries[0], list) else entries


def _next_id(entry_id: bytes) -> str:
    milliseconds, _, counter = entry_id.decode().partition("-")
    return f"{milliseconds}-{int(counter) + 1}"
