"""Lines of outside programs: stored before they are acknowledged, and shown to those who follow."""

import secrets
from hashlib import blake2b
from typing import Any

import msgspec

from aro.adapters.clock import Clock, iso
from aro.adapters.log_store import LogStore
from aro.adapters.log_stream import LogStream
from aro.adapters.redis_client import RedisError
from logging_service import metrics
from logging_service.answers import Accepted
from logging_service.lines import INGEST_PREFIX, LogLine, normalise, record_of
from logging_service.quota import IngestQuota

_NAMES = {
    "message": "message",
    "level": "log.level",
    "trace_id": "trace.id",
    "action": "event.action",
    "error_type": "error.type",
    "error_message": "error.message",
    "stack_trace": "error.stack_trace",
    "labels": "labels",
}


class Ingest:
    def __init__(self, store: LogStore, stream: LogStream, quota: IngestQuota, clock: Clock) -> None:
        self._store = store
        self._stream = stream
        self._quota = quota
        self._clock = clock

    def accept(self, body: dict[str, Any], *, account: str, size: int) -> Accepted:
        """Keep the lines of a validated `LinesBody` of `size` bytes. Raises `RateLimited` and `MongoError`."""
        self._quota.spend(account, lines=len(body["lines"]), size=size)
        lines = [self._line(given, f"{INGEST_PREFIX}{body['service']}", account) for given in body["lines"]]
        self._store.save([record_of(line) for line in lines])
        try:
            # Only for live tails: the database has them already.
            self._stream.append([msgspec.json.encode(line) for line in lines], stored=True)
        except RedisError:
            metrics.untailed.inc(len(lines))
        metrics.ingested.inc(len(lines))
        return Accepted(accepted=len(lines), ids=[line.id for line in lines])

    def _line(self, given: dict[str, Any], service: str, account: str) -> LogLine:
        fields = {name: given[key] for key, name in _NAMES.items() if given[key] is not None}
        if given["at"] is not None:
            fields["@timestamp"] = iso(given["at"])
        return normalise(
            fields,
            arrived_us=self._clock.now_ms() * 1000,
            id=_id(given["id"], account),
            service=service,
            user=account,
        )


def _id(given: str | None, account: str) -> str:
    """Of its own for each account, so that nobody can take the place of another's line."""
    if given is None:
        return f"ingest-{secrets.token_hex(12)}"
    return f"ingest-{blake2b(f'{account}|{given}'.encode(), digest_size=12).hexdigest()}"
