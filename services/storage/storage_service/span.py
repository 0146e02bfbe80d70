"""Which stretch of history a request asks for, and how much of it at once."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aro.adapters.paging import Cursor
from aro.contracts.problems import InvalidRequest

LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01: no instant beyond it is meant."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_MS: Final = re.compile(r"[0-9]{1,15}")
# "+" of an offset that was not percent-encoded arrives as a space.
_LOST_PLUS: Final = re.compile(r"(.*\d:\d\d.*) (\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class SpanRule:
    """`usual_ms` is what a request without `from` gets, `longest_ms` the most that one may ask for."""

    usual_ms: int
    longest_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """Both ends included, UTC epoch milliseconds."""

    start_ms: int
    end_ms: int
    limit: int
    cursor: str | None


CHAINS: Final = SpanRule(usual_ms=5 * MINUTE_MS, longest_ms=DAY_MS)
METRICS: Final = SpanRule(usual_ms=HOUR_MS, longest_ms=31 * DAY_MS)
TICKS: Final = SpanRule(usual_ms=HOUR_MS, longest_ms=7 * DAY_MS)


def parse_instant(text: str) -> int:
    """UTC epoch milliseconds of ISO 8601 with an offset, or of digits that are epoch milliseconds already.

    Raises ValueError with words for the person who wrote it.
    """
    if _EPOCH_MS.fullmatch(text):
        milliseconds = int(text)
    else:
        try:
            instant = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
        except ValueError:
            raise ValueError("Neither ISO 8601 nor epoch milliseconds.") from None
        if instant.tzinfo is None:
            raise ValueError("A time needs its offset, such as 2026-12-29T10:00:00+05:30 or a final Z.")
        milliseconds = (instant - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds <= LATEST_MS:
        raise ValueError("Outside 1970 to 2100.")
    return milliseconds


def resolve(query: dict[str, Any], rule: SpanRule, *, now_ms: int) -> Span:
    """The span of a validated `query` with keys from, to, limit and cursor.

    Without `from` a page continues at its cursor, however long ago that was, so that a slow reader misses nothing.
    Raises `InvalidRequest` naming ``from`` if the span is reversed or longer than `rule` allows, or ``cursor``.
    """
    cursor: str | None = query["cursor"]
    end_ms: int = query["to"] if query["to"] is not None else now_ms
    start_ms: int | None = query["from"]
    if start_ms is None:
        start_ms = Cursor.decode(cursor).ts if cursor else max(0, end_ms - rule.usual_ms)
    elif start_ms > end_ms:
        raise _bad_from("Must not be after 'to'.")
    if end_ms - start_ms > rule.longest_ms:
        raise _bad_from(f"The span may be at most {rule.longest_ms // HOUR_MS} hours.")
    return Span(start_ms, end_ms, query["limit"], cursor)


def _bad_from(reason: str) -> InvalidRequest:
    return InvalidRequest("not valid: from", errors={"from": [reason]})
