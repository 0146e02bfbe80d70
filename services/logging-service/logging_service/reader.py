"""What can be asked about stored lines."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from aro.adapters.clock import Clock
from aro.adapters.log_store import Found, LogStore, Position, Wanted
from aro.contracts.problems import InvalidRequest
from aro.runtime.queries import DAY_MS, HOUR_MS
from logging_service.answers import ServiceList, ServiceSeen
from logging_service.lines import SEVERITIES, LogLine
from logging_service.schemas import NEWEST

Query = dict[str, Any]
USUAL_MS: Final = HOUR_MS
AHEAD_MS: Final = 60_000
"""Clocks of other machines may be ahead."""


class Reader:
    def __init__(self, store: LogStore, clock: Clock, *, retention_days: float) -> None:
        self._store = store
        self._clock = clock
        self._retention_ms = round(retention_days * DAY_MS)

    def search(self, query: Query) -> tuple[int, int, Found]:
        """(start, end, lines) of a validated `SearchQuery`. Raises `InvalidRequest`."""
        newest = query["order"] == NEWEST
        after = Position.decode(query["cursor"], newest=newest) if query["cursor"] else None
        start_ms, end_ms = self._span(query, after)
        wanted = Wanted(
            service=query["service"],
            severity=SEVERITIES[query["level"]] if query["level"] else 0,
            trace=query["request_id"],
            test=_containing(query["contains"]),
        )
        found = self._store.search(
            wanted, start_ms=start_ms, end_ms=end_ms, limit=query["limit"], after=after, newest=newest
        )
        return start_ms, end_ms, found

    def services(self) -> ServiceList:
        return ServiceList(
            services=[
                ServiceSeen(name=name, first_ts=first, last_ts=last) for name, first, last in self._store.services()
            ]
        )

    def _span(self, query: Query, after: Position | None) -> tuple[int, int]:
        """An hour usually, all that is kept for a story; where pages began, they go on."""
        start_ms: int | None = query["since"]
        end_ms: int | None = query["until"]
        if after is not None:
            start_ms = after.start_ms if start_ms is None else start_ms
            end_ms = after.end_ms if end_ms is None else end_ms
        if end_ms is None:
            end_ms = self._clock.now_ms() + AHEAD_MS
        if start_ms is None:
            start_ms = max(0, end_ms - (USUAL_MS if query["request_id"] is None else self._retention_ms))
        if start_ms > end_ms:
            raise InvalidRequest("not valid: since", errors={"since": ["Must not be after 'until'."]})
        return start_ms, end_ms


def matcher(query: Query) -> Callable[[LogLine, bytes], bool]:
    """Whether a line, and its JSON, is what a validated `FilterQuery` asks for."""
    service, trace = query["service"], query["request_id"]
    severity = SEVERITIES[query["level"]] if query["level"] else 0
    contains = _containing(query["contains"])

    def matches(line: LogLine, data: bytes) -> bool:
        return (
            (service is None or line.service == service)
            and SEVERITIES[line.level] >= severity
            and (trace is None or trace == line.trace_id or trace in line.trace_ids)
            and (contains is None or contains(data))
        )

    return matches


def _containing(text: str | None) -> Callable[[bytes], bool] | None:
    if text is None:
        return None
    # As it is written in JSON, without the quotes around it.
    needle = msgspec.json.encode(text)[1:-1].lower()
    return lambda data: needle in data.lower()
