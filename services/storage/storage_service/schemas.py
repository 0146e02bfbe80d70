"""What the routes accept as query parameters. Anything else is refused by name."""

from typing import Any, Final

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import OneOf

from aro.contracts.problems import InvalidRequest
from aro.contracts.shapes import (
    HEAD_FIELDS,
    LEG_FIELDS,
    METRICS_FIELDS,
    ChainShape,
    parse_chain_fields,
    parse_metrics_fields,
    parse_strikes,
)
from aro.runtime.queries import AsOfQuery, ExpiryQuery, PageQuery, page_limit

COLUMNS: Final = "columns"
ROWS: Final = "rows"
_FIELDS_DOC: Final = {"description": "only these, separated by commas; what identifies the state is always there"}


def _names(known: tuple[str, ...]) -> dict[str, str]:
    name = f"({'|'.join(known)})"
    return {"type": "string", "pattern": f"^{name}(,{name})*$"}


class _Parsed(fields.String):
    """Becomes what `parse` makes of the text."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        try:
            return self.parse(super()._deserialize(value, attr, data, **options))
        except InvalidRequest as error:
            raise ValidationError(
                [str(reason) for reasons in (error.errors or {}).values() for reason in reasons]
            ) from None

    def parse(self, text: str) -> Any:
        raise NotImplementedError


class Strikes(_Parsed):
    json_schema: Final = {
        "type": "string",
        "pattern": r"^(atm[:±][0-9]{1,4}|[0-9]{1,8}(\.[0-9]{1,4})?\.\.[0-9]{1,8}(\.[0-9]{1,4})?)$",
    }

    def parse(self, text: str) -> Any:
        return parse_strikes(text)


class ChainFields(_Parsed):
    json_schema: Final = _names(tuple(dict.fromkeys((*HEAD_FIELDS, *LEG_FIELDS))))

    def parse(self, text: str) -> Any:
        return parse_chain_fields(text)


class MetricsFields(_Parsed):
    json_schema: Final = _names(METRICS_FIELDS)

    def parse(self, text: str) -> Any:
        return parse_metrics_fields(text)


class _ShapeQuery(Schema):
    shape = fields.String(load_default=COLUMNS, validate=OneOf([COLUMNS, ROWS]))
    strikes = Strikes(
        load_default=None, metadata={"description": "atm:N or atm±N (N strikes on either side), or LOW..HIGH"}
    )
    fields_ = ChainFields(data_key="fields", attribute="fields", load_default=None, metadata=_FIELDS_DOC)


class _MetricsFieldsQuery(Schema):
    fields_ = MetricsFields(data_key="fields", attribute="fields", load_default=None, metadata=_FIELDS_DOC)


class ChainQuery(ExpiryQuery, AsOfQuery, _ShapeQuery):
    pass


class MetricsQuery(ExpiryQuery, AsOfQuery, _MetricsFieldsQuery):
    pass


class ChainHistoryQuery(ExpiryQuery, PageQuery, _ShapeQuery):
    limit = page_limit(usual=20, most=500)  # a chain is about 60 kB of JSON


class MetricsHistoryQuery(ExpiryQuery, PageQuery, _MetricsFieldsQuery):
    limit = page_limit(usual=500, most=10_000)


class TickHistoryQuery(PageQuery):
    limit = page_limit(usual=1_000, most=20_000)


def shape_of(query: dict[str, Any]) -> ChainShape:
    return ChainShape(window=query["strikes"], fields=query["fields"], rows=query["shape"] == ROWS)
