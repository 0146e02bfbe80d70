"""What the routes answer, as types; and examples of it."""

from typing import Any, Final, Literal

import msgspec

from logging_service.lines import LogLine


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one stretch of time. `next_cursor` is null at its end. `truncated`: enough was looked at for one
    request; what matches further on is behind `next_cursor`."""

    since_ts: int
    until_ts: int
    items: list[LogLine]
    next_cursor: str | None
    truncated: bool


class ServiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A name in ``service.name``, and the hours between which it has lines (UTC epoch milliseconds)."""

    name: str
    first_ts: int
    last_ts: int


class ServiceList(msgspec.Struct, frozen=True, kw_only=True):
    services: list[ServiceSeen]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """`ids` are the ``event.id`` of the lines, in their order."""

    accepted: int
    ids: list[str]


class TailEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Server-Sent Event. `data` is the JSON of a line, or ``{"lines": 5}`` of those that are missing here (null if
    unknown), or ``{"reason": "timeout"}``. `id`, of a line, is where to go on from."""

    event: Literal["line", "dropped", "end"]
    data: str
    id: str = ""


_ID: Final = "NIFTY|2026-12-29|1795000000000"
LINE_EXAMPLE: Final[dict[str, Any]] = {
    "@timestamp": "2026-11-18T05:46:40.131000+00:00",
    "log.level": "info",
    "service.name": "worker-enricher-work",
    "message": "batch enriched",
    "event.id": "5f0c1d2e3a4b-0000002a",
    "event.provider": "service",
    "trace.ids": [_ID, "NIFTY|2027-01-05|1795000000000"],
    "labels": {"chains": 2, "stored": True, "milliseconds": 41.5},
}
PAGE_EXAMPLE: Final = {
    "since_ts": 1_794_999_900_000,
    "until_ts": 1_795_000_100_000,
    "items": [LINE_EXAMPLE],
    "next_cursor": None,
    "truncated": False,
}
SERVICES_EXAMPLE: Final = {
    "services": [{"name": "worker-enricher-work", "first_ts": 1_794_996_000_000, "last_ts": 1_795_003_200_000}]
}
ACCEPTED_EXAMPLE: Final = {"accepted": 1, "ids": ["ingest-3f786850e387550fdab836ed"]}
TAIL_EXAMPLE: Final = TailEvent(
    event="line",
    data='{"@timestamp":"2026-11-18T05:46:40.131000+00:00","log.level":"info","service.name":"auth",…}',
    id="1795000000131-0",
)
