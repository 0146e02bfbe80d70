"""What the routes accept as query parameters. Anything else is refused by name."""

from typing import Final

from marshmallow import fields
from marshmallow.validate import OneOf

from aro.runtime.queries import ExpiryQuery, PageQuery, page_limit

COLUMNS: Final = "columns"
ROWS: Final = "rows"


class ChainQuery(ExpiryQuery):
    shape = fields.String(load_default=COLUMNS, validate=OneOf([COLUMNS, ROWS]))


class ChainHistoryQuery(ChainQuery, PageQuery):
    limit = page_limit(usual=20, most=100)  # a chain is about 60 kB of JSON


class MetricsHistoryQuery(ExpiryQuery, PageQuery):
    limit = page_limit(usual=500, most=5_000)


class TickHistoryQuery(PageQuery):
    limit = page_limit(usual=1_000, most=10_000)
