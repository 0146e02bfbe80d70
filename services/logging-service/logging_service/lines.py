"""A log line as it is kept and answered: ECS names, bounded, redacted, whoever wrote it."""

import contextlib
import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from aro.adapters.log_store import LogRecord
from aro.adapters.log_stream import LogEntry
from aro.runtime.logs import TRACE_ID, TRACE_IDS
from aro.runtime.redaction import clean_object, clean_text

SEVERITIES: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_OTHER_NAMES: Final = {"warn": "warning", "fatal": "critical", "err": "error", "trace": "debug", "notice": "info"}

MAX_RAW_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 16 * 1024
"""Beyond it texts are shortened; never beyond twice this, however many bytes a character takes."""
MAX_LABELS: Final = 48
MAX_VALUE: Final = 2_000
SHORT_VALUE: Final = 30
SHORT_TEXT: Final = 500
UNREADABLE_BYTES: Final = 2_000
SHORT_ITEMS: Final = 24
LATE_MS: Final = 86_400_000
"""A line whose own time is further than this from when it arrived is filed under its arrival."""

SERVICE_PATTERN: Final = r"[a-z0-9][a-z0-9_.-]{0,62}"
TRACE_PATTERN: Final = r"[A-Za-z0-9_.|:-]{1,80}"
LABEL_PATTERN: Final = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"
ID_PATTERN: Final = r"[A-Za-z0-9_-]{1,64}"
_SERVICE: Final = re.compile(SERVICE_PATTERN)
_TRACE: Final = re.compile(TRACE_PATTERN)
_LABEL: Final = re.compile(LABEL_PATTERN)
_ID: Final = re.compile(ID_PATTERN)

INGEST_PREFIX: Final = "ingest:"
"""No service of the platform has a colon in its name, so nobody can pass for one."""

Scalar = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error", "critical"]


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. Fields that do not apply are left out; what ECS has no name for is in `labels`."""

    at: str = msgspec.field(name="@timestamp")
    level: Level = msgspec.field(name="log.level")
    service: str = msgspec.field(name="service.name")
    message: str
    id: str = msgspec.field(name="event.id")
    provider: Literal["service", "ingest"] = msgspec.field(name="event.provider")
    trace_id: str | None = msgspec.field(name=TRACE_ID, default=None)
    trace_ids: list[str] = msgspec.field(name=TRACE_IDS, default_factory=list)
    action: str | None = msgspec.field(name="event.action", default=None)
    method: str | None = msgspec.field(name="http.request.method", default=None)
    route: str | None = msgspec.field(name="http.route", default=None)
    status: int | None = msgspec.field(name="http.response.status_code", default=None)
    user: str | None = msgspec.field(name="user.id", default=None)
    error_type: str | None = msgspec.field(name="error.type", default=None)
    error_message: str | None = msgspec.field(name="error.message", default=None)
    stack_trace: str | None = msgspec.field(name="error.stack_trace", default=None)
    labels: dict[str, Scalar] = msgspec.field(default_factory=dict)


_TEXTS: Final = {
    "event.action": "action",
    "http.request.method": "method",
    "http.route": "route",
    "user.id": "user",
    "error.type": "error_type",
    "error.message": "error_message",
    "error.stack_trace": "stack_trace",
}


def of_entry(entry: LogEntry) -> LogLine:
    """The line of a stream entry, whatever it holds; never raises."""
    if entry.is_stored:  # made by this service already
        with contextlib.suppress(ValueError, RecursionError):
            return msgspec.json.decode(entry.line, type=LogLine)
    arrived_us = entry.ts * 1000
    try:
        if len(entry.line) > MAX_RAW_BYTES:
            raise ValueError("too long")
        fields = msgspec.json.decode(entry.line, type=dict[str, Any])
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are kinds of ValueError
        head = clean_text(entry.line[:UNREADABLE_BYTES].decode("utf-8", "replace"))
        fields = {"message": head, "unreadable": True}
    return normalise(fields, arrived_us=arrived_us, id=_id_of(fields, entry))


def normalise(
    fields: dict[str, Any],
    *,
    arrived_us: int,
    id: str,
    service: str | None = None,
    user: str | None = None,
) -> LogLine:
    """`fields` (names with dots, as on stdout) as a line. With `user`, it is marked as posted by that account."""
    rest = clean_object(fields)
    known: dict[str, Any] = {}
    for name, attribute in _TEXTS.items():
        value = rest.pop(name, None)
        if value is not None:
            known[attribute] = _text(value, MAX_VALUE if attribute != "stack_trace" else MAX_LINE_BYTES // 2)
    status = rest.pop("http.response.status_code", None)
    if isinstance(status, int) and not isinstance(status, bool):
        known["status"] = status
    if user is not None:
        known["user"] = user
    given = str(rest.pop("service.name", ""))
    rest.pop("event.id", None)
    rest.pop("event.provider", None)
    message = _text(rest.pop("message", ""), MAX_LINE_BYTES // 2)
    level = _level(rest.pop("log.level", None))
    traces = _traces(rest)
    stamp = rest.pop("@timestamp", None)
    at_us = _time(stamp, arrived_us)
    labels = _labels(rest if at_us is not None else {**rest, "timestamp_given": stamp})
    line = LogLine(
        at=_iso(at_us if at_us is not None else arrived_us),
        level=level,
        service=service or (given if _SERVICE.fullmatch(given) else "unknown"),
        message=message,
        id=id,
        provider="service" if user is None else "ingest",
        **traces,
        **known,
        labels=labels,
    )
    return line if len(msgspec.json.encode(line)) <= MAX_LINE_BYTES else _shortened(line)


def record_of(line: LogLine) -> LogRecord:
    return LogRecord(
        id=line.id,
        at_us=_microseconds(datetime.fromisoformat(line.at)),
        service=line.service,
        severity=SEVERITIES[line.level],
        traces=tuple(([line.trace_id] if line.trace_id else []) + line.trace_ids),
        line=msgspec.json.encode(line),
    )


def _id_of(fields: dict[str, Any], entry: LogEntry) -> str:
    """The one the source gave, so that what is sent twice is stored once; else one made of entry and text."""
    given = fields.get("event.id")
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    return f"{entry.id}-{blake2b(entry.line, digest_size=8).hexdigest()}"


def _time(given: Any, arrived_us: int) -> int | None:
    """UTC epoch microseconds; None for what cannot be the time of this line."""
    if given is None:
        return arrived_us
    try:
        instant = datetime.fromisoformat(given)
        microseconds = _microseconds(instant)
    except (TypeError, ValueError, OverflowError):  # no time at all, or one without an offset
        return None
    return microseconds if abs(microseconds - arrived_us) <= LATE_MS * 1000 else None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _iso(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")


def _level(given: Any) -> Level:
    name = str(given).lower()
    name = _OTHER_NAMES.get(name, name)
    return name if name in SEVERITIES else "info"  # type: ignore[return-value]


def _traces(rest: dict[str, Any]) -> dict[str, Any]:
    """Ids of this platform's kind. Another ``trace.id`` stays in `rest`, where it is only text."""
    found: dict[str, Any] = {}
    if rest.get(TRACE_ID) is None:
        rest.pop(TRACE_ID, None)
    elif _is_trace(rest[TRACE_ID]):
        found["trace_id"] = rest.pop(TRACE_ID)
    ids = rest.pop(TRACE_IDS, None)
    if isinstance(ids, list):
        found["trace_ids"] = [item for item in ids if _is_trace(item)]
    return found


def _is_trace(value: Any) -> bool:
    return isinstance(value, str) and _TRACE.fullmatch(value) is not None


def _labels(rest: dict[str, Any]) -> dict[str, Scalar]:
    """What is left, flat. Names that are not plain words are left out and counted."""
    nested = rest.pop("labels", None)
    if isinstance(nested, dict):
        rest = {**nested, **rest}
    labels: dict[str, Scalar] = {}
    left_out = 0
    for name, value in rest.items():
        if len(labels) >= MAX_LABELS or not _LABEL.fullmatch(name):
            left_out += 1
        else:
            labels[name] = value if isinstance(value, bool | int | float) or value is None else _text(value, MAX_VALUE)
    if left_out:
        labels["left_out"] = left_out
    return labels


def _text(value: Any, most: int) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]} …"


def _shortened(line: LogLine) -> LogLine:
    texts = {
        name: _text(value, SHORT_TEXT)
        for name in ("message", *_TEXTS.values())
        if (value := getattr(line, name)) is not None
    }
    first = list(line.labels.items())[:SHORT_ITEMS]
    labels = {name: _text(value, SHORT_VALUE) if isinstance(value, str) else value for name, value in first}
    ids = line.trace_ids[: 2 * SHORT_ITEMS]
    return msgspec.structs.replace(line, **texts, labels={**labels, "shortened": True}, trace_ids=ids)
