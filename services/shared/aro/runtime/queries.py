"""What query strings of several services have in common: instants, days of expiry, products, stretches of history."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Range

from aro.adapters.paging import Cursor
from aro.contracts.problems import InvalidRequest
from aro.contracts.products import PRODUCTS

LATEST_MS: Final = 4_102_444_800_000
"""2100-01-01: no instant beyond it is meant."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

INSTANT_DOC: Final = {"description": "ISO 8601 with offset, or epoch milliseconds"}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_MS: Final = re.compile(r"[0-9]{1,15}")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
# "+" of an offset that was not percent-encoded arrives as a space.
_LOST_PLUS: Final = re.compile(r"(.*\d:\d\d.*) (\d\d:?\d\d)")


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


# --- fields --------------------------------------------------------------------------------


class Instant(fields.String):
    """Becomes UTC epoch milliseconds."""

    json_schema: Final = {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "string", "pattern": "^[0-3]?[0-9]{1,12}$", "description": "epoch milliseconds"},
        ]
    }
    """What `aro.runtime.openapi` says about fields of this kind."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        try:
            return parse_instant(super()._deserialize(value, attr, data, **options))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class ExpiryDate(fields.String):
    """Becomes ``YYYY-MM-DD``."""

    json_schema: Final = {"type": "string", "format": "date"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise ValidationError("Not a date written YYYY-MM-DD.") from None


class ProductName(fields.String):
    """A product that is listed. In paths use `products.product`, which makes it a 404."""

    @property
    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(PRODUCTS)}

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **options)
        if text not in PRODUCTS:
            raise ValidationError(f"Not a product; known are {', '.join(PRODUCTS)}.")
        return text


class Whole(fields.Integer):
    """A whole number as JSON means it: 4 and 4.0, and not 4.7, true or "4"; unless `strict`, the digits of a query too.

    marshmallow's own takes 4.7 for 4, and "1_0" or " ٣" for a number.
    """

    def _validated(self, value: Any) -> int:
        if isinstance(value, str) and not self.strict and _WHOLE.fullmatch(value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
            raise self.make_error("invalid", input=value)
        return int(value)


def page_limit(usual: int, most: int) -> fields.Integer:
    return Whole(load_default=usual, validate=Range(1, most), metadata={"description": "items per page"})


# --- schemas to inherit from ---------------------------------------------------------------


class NoQuery(Schema):
    """For routes without parameters, so that they refuse what they do not know."""


class ExpiryQuery(Schema):
    expiry = ExpiryDate(load_default=None, metadata={"description": "the nearest one with data if left out"})


class AsOfQuery(Schema):
    as_of = Instant(
        load_default=None,
        metadata={"description": "the state of the world at this instant: ISO 8601 with offset, or epoch milliseconds"},
    )


class SpanQuery(Schema):
    """Keys ``from`` and ``to``, for `resolve`."""

    from_ = Instant(data_key="from", attribute="from", load_default=None, metadata=INSTANT_DOC)
    to = Instant(load_default=None, metadata=INSTANT_DOC)


class PageQuery(SpanQuery):
    """A span in pages: add ``limit = page_limit(…)``."""

    cursor = fields.String(load_default=None, metadata={"description": "next_cursor of the page before"})


# --- stretches of history ------------------------------------------------------------------


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


def resolve(query: dict[str, Any], rule: SpanRule, *, now_ms: int) -> Span:
    """The span of a validated `query` with keys ``from``, ``to`` and, where there are pages, ``cursor``.

    Without `from` a page continues at its cursor, however long ago that was, so that a slow reader misses nothing.
    Raises `InvalidRequest` naming ``from`` if the span is reversed or longer than `rule` allows, or ``cursor``.
    """
    cursor: str | None = query.get("cursor")
    end_ms: int = query["to"] if query["to"] is not None else now_ms
    start_ms: int | None = query["from"]
    if start_ms is None:
        start_ms = Cursor.decode(cursor).ts if cursor else max(0, end_ms - rule.usual_ms)
    elif start_ms > end_ms:
        raise _bad_from("Must not be after 'to'.")
    if end_ms - start_ms > rule.longest_ms:
        raise _bad_from(f"The span may be at most {rule.longest_ms // HOUR_MS} hours.")
    return Span(start_ms, end_ms)


def _bad_from(reason: str) -> InvalidRequest:
    return InvalidRequest("not valid: from", errors={"from": [reason]})
