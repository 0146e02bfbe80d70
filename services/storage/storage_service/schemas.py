"""What the routes accept as query parameters. Anything else is refused by name."""

from datetime import date
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import OneOf, Range

from storage_service.span import parse_instant

COLUMNS: Final = "columns"
ROWS: Final = "rows"

_INSTANT_DOC: Final = {"description": "ISO 8601 with offset, or epoch milliseconds"}


class ExpiryDate(fields.String):
    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise ValidationError("Not a date written YYYY-MM-DD.") from None


class Instant(fields.String):
    """Becomes UTC epoch milliseconds."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        try:
            return parse_instant(super()._deserialize(value, attr, data, **options))
        except ValueError as error:
            raise ValidationError(str(error)) from None


def _limit(usual: int, most: int) -> fields.Integer:
    return fields.Integer(load_default=usual, validate=Range(1, most), metadata={"description": "items per page"})


class NoQuery(Schema):
    pass


class ExpiryQuery(Schema):
    expiry = ExpiryDate(load_default=None, metadata={"description": "the nearest one with data if left out"})


class ChainQuery(ExpiryQuery):
    shape = fields.String(load_default=COLUMNS, validate=OneOf([COLUMNS, ROWS]))


class SpanQuery(Schema):
    from_ = Instant(data_key="from", attribute="from", load_default=None, metadata=_INSTANT_DOC)
    to = Instant(load_default=None, metadata=_INSTANT_DOC)
    cursor = fields.String(load_default=None, metadata={"description": "next_cursor of the page before"})


class ChainHistoryQuery(ChainQuery, SpanQuery):
    limit = _limit(usual=20, most=100)  # a chain is about 60 kB of JSON


class MetricsHistoryQuery(ExpiryQuery, SpanQuery):
    limit = _limit(usual=500, most=5_000)


class TickHistoryQuery(SpanQuery):
    limit = _limit(usual=1_000, most=10_000)
