"""Dead letters: entries that must not or cannot be processed, kept with the reason, never dropped silently."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from aro.contracts.codec import MAX_MESSAGE_BYTES
from aro.contracts.names import FIELD_MESSAGE, GROUP_ENRICHERS, KEY_ENRICH_ERRORS, STREAM_DEAD
from aro.contracts.problems import InvalidRequest, NotFound

MAX_DEAD_LETTERS: Final = 10_000
KEPT_BYTES_OF_OVERSIZED: Final = 4_096
"""A message over the limit is kept as its head and SHA-256: it could never be processed anyway."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    id: str
    stream: str
    entry_id: str
    reason: str
    error: str
    size: int
    sha256: str
    message: bytes

    @property
    def is_whole(self) -> bool:
        return len(self.message) == self.size


class DeadLetters:
    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client  # the answers below are bytes; the driver's types allow more

    def bury(self, stream: str, entry_id: str, message: bytes | None, *, reason: str, error: str) -> None:
        """Keep the entry with its reason and acknowledge it, in one transaction."""
        payload = message or b""
        kept = payload if len(payload) <= MAX_MESSAGE_BYTES else payload[:KEPT_BYTES_OF_OVERSIZED]
        fields: dict[str | bytes, str | bytes | int] = {
            "stream": stream,
            "entry_id": entry_id,
            "reason": reason,
            "error": error[:1_000],
            "size": len(payload),
            "sha256": hashlib.sha256(payload).hexdigest(),
            FIELD_MESSAGE: kept,
        }
        pipe = self._redis.pipeline(transaction=True)
        pipe.xadd(STREAM_DEAD, fields, maxlen=MAX_DEAD_LETTERS, approximate=True)
        pipe.xack(stream, GROUP_ENRICHERS, entry_id)
        pipe.hdel(KEY_ENRICH_ERRORS, f"{stream}|{entry_id}")
        pipe.execute()

    def note_error(self, stream: str, entry_id: str, error: str) -> None:
        """Remember why a delivery failed, for the day the entry is given up."""
        self._redis.hset(KEY_ENRICH_ERRORS, f"{stream}|{entry_id}", error[:1_000])

    def forget_errors(self, stream: str, entry_ids: Sequence[str]) -> None:
        if entry_ids:
            self._redis.hdel(KEY_ENRICH_ERRORS, *(f"{stream}|{entry_id}" for entry_id in entry_ids))

    def last_error(self, stream: str, entry_id: str) -> str | None:
        noted = self._redis.hget(KEY_ENRICH_ERRORS, f"{stream}|{entry_id}")
        return noted.decode(errors="replace") if noted else None

    def count(self) -> int:
        return int(self._redis.xlen(STREAM_DEAD))

    def list(self, *, limit: int) -> "list[DeadLetter]":
        """Newest first."""
        return [_letter(entry_id, fields) for entry_id, fields in self._redis.xrevrange(STREAM_DEAD, count=limit)]

    def find(self, letter_id: str) -> DeadLetter:
        """Raises `NotFound`."""
        try:
            found = self._redis.xrange(STREAM_DEAD, letter_id, letter_id)
        except redis.ResponseError:
            found = []
        if not found:
            raise NotFound(f"there is no dead letter {letter_id!r}")
        return _letter(*found[0])

    def retry(self, letter: DeadLetter) -> str:
        """Put the message back at the end of its stream; the new entry id.

        Raises `InvalidRequest` for a message that was too large to keep whole.
        """
        if not letter.is_whole:
            raise InvalidRequest(f"dead letter {letter.id} held {letter.size} bytes and only its head was kept")
        pipe = self._redis.pipeline(transaction=True)
        pipe.xadd(letter.stream, {FIELD_MESSAGE: letter.message})
        pipe.xdel(STREAM_DEAD, letter.id)
        new_id: bytes = pipe.execute()[0]
        return new_id.decode()

    def drop(self, letter_ids: Iterable[str]) -> int:
        """How many of them existed."""
        ids = list(letter_ids)
        return int(self._redis.xdel(STREAM_DEAD, *ids)) if ids else 0


def _letter(entry_id: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        id=entry_id.decode(),
        stream=fields[b"stream"].decode(),
        entry_id=fields[b"entry_id"].decode(),
        reason=fields[b"reason"].decode(),
        error=fields[b"error"].decode(errors="replace"),
        size=int(fields[b"size"]),
        sha256=fields[b"sha256"].decode(),
        message=fields[FIELD_MESSAGE.encode()],
    )
