"""What the routes accept. Anything else is refused by name."""

import re
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range

from aro.runtime.logs import TRACE_ID
from aro.runtime.queries import INSTANT_DOC, Instant, page_limit
from logging_service.lines import ID_PATTERN, LABEL_PATTERN, SERVICE_PATTERN, SEVERITIES, TRACE_PATTERN

NEWEST: Final = "newest"
OLDEST: Final = "oldest"
MAX_LINES: Final = 100
MAX_MESSAGE: Final = 8_000
MAX_VALUE: Final = 2_000
MAX_LABELS: Final = 32
MAX_NUMBER: Final = 2**53
MAX_TAIL_SECONDS: Final = 3_600

_LABEL: Final = re.compile(LABEL_PATTERN)


class Word(fields.String):
    """Text that `pattern` matches as a whole."""

    def __init__(self, pattern: str, **options: Any) -> None:
        super().__init__(**options)
        self._pattern = re.compile(pattern)
        self.json_schema = {"type": "string", "pattern": f"^(?:{pattern})$"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **options)
        if self._pattern.fullmatch(text) is None:
            raise ValidationError(f"Must match {self._pattern.pattern}")
        return text


class Labels(fields.Raw):
    """An object without structure below it. Its names are words, so that they are safe wherever they end up."""

    json_schema: Final = {
        "type": "object",
        "maxProperties": MAX_LABELS,
        "propertyNames": {"pattern": f"^(?:{LABEL_PATTERN})$"},
        "additionalProperties": {
            "anyOf": [
                {"type": "string", "maxLength": MAX_VALUE},
                {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
                {"type": "boolean"},
                {"type": "null"},
            ]
        },
    }

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        value = super()._deserialize(value, attr, data, **options)
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        if len(value) > MAX_LABELS:
            raise ValidationError(f"Must have at most {MAX_LABELS} names.")
        if not all(map(_LABEL.fullmatch, value)):
            raise ValidationError(f"Names must match {LABEL_PATTERN}")
        if not all(map(_is_plain, value.values())):
            raise ValidationError(
                f"Values must be null, true, false, text of up to {MAX_VALUE} characters or numbers of up to 2^53."
            )
        return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_VALUE
    return value is None or (isinstance(value, int | float) and abs(value) <= MAX_NUMBER)


class FilterQuery(Schema):
    service = Word(
        f"(?:ingest:)?{SERVICE_PATTERN}",
        load_default=None,
        metadata={"description": "only lines of this service; an outside program's is `ingest:<its name>`"},
    )
    level = fields.String(
        load_default=None, validate=OneOf(list(SEVERITIES)), metadata={"description": "at least this severe"}
    )
    request_id = Word(
        TRACE_PATTERN,
        load_default=None,
        metadata={
            "description": "only lines about this id: of a request (`X-Request-ID`), of a snapshot "
            "(`NIFTY|2026-12-29|<source_seq>`) or of a tick (`NIFTY|<source_seq>`)"
        },
    )
    contains = fields.String(
        load_default=None,
        validate=Length(1, 200),
        metadata={"description": "only lines with this text anywhere in their JSON; a–z and A–Z are the same"},
    )


class SearchQuery(FilterQuery):
    since = Instant(load_default=None, metadata=INSTANT_DOC)
    until = Instant(load_default=None, metadata=INSTANT_DOC)
    order = fields.String(
        load_default=NEWEST, validate=OneOf([NEWEST, OLDEST]), metadata={"description": "which lines come first"}
    )
    limit = page_limit(usual=100, most=1_000)
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next_cursor` of the page before; send the other parameters again with it"},
    )


class TailQuery(FilterQuery):
    seconds = fields.Integer(
        load_default=None,
        validate=Range(1, MAX_TAIL_SECONDS),
        metadata={"description": "end by itself after so long; else it lasts as long as the access token"},
    )


class LineBody(Schema):
    """One event of an outside program, with ECS names."""

    message = fields.String(required=True, validate=Length(1, MAX_MESSAGE))
    level = fields.String(data_key="log.level", load_default="info", validate=OneOf(list(SEVERITIES)))
    at = Instant(
        data_key="@timestamp",
        load_default=None,
        metadata={"description": "now, if left out; a line that is more than a day off is filed under now"},
    )
    id = Word(
        ID_PATTERN,
        data_key="event.id",
        load_default=None,
        metadata={"description": "an id of yours: a line that is posted again with it is kept once"},
    )
    trace_id = Word(TRACE_PATTERN, data_key=TRACE_ID, load_default=None)
    action = fields.String(data_key="event.action", load_default=None, validate=Length(1, 80))
    error_type = fields.String(data_key="error.type", load_default=None, validate=Length(1, 200))
    error_message = fields.String(data_key="error.message", load_default=None, validate=Length(1, MAX_VALUE))
    stack_trace = fields.String(data_key="error.stack_trace", load_default=None, validate=Length(1, MAX_MESSAGE))
    labels = Labels(load_default=dict, metadata={"description": "anything else, without structure"})


class LinesBody(Schema):
    service = Word(
        SERVICE_PATTERN,
        data_key="service.name",
        required=True,
        metadata={"description": "the program; its lines are found as `ingest:<this>`"},
    )
    lines = fields.List(fields.Nested(LineBody), required=True, validate=Length(1, MAX_LINES))
