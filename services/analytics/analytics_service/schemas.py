"""What the routes accept as query parameters and bodies. Anything else is refused by name."""

import re
from collections.abc import Callable
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, OneOf, Range

from analytics_service.alert_rules import OPERATORS
from analytics_service.bar_metrics import BAR_METRICS
from analytics_service.candles import INTERVALS
from analytics_service.legs import LEGS_PATTERN, MAX_LEGS
from aro.contracts.analytics import NUMERIC_METRICS
from aro.contracts.replays import MAX_SPEED, MIN_SPEED, RECORDING_PATTERN
from aro.runtime.queries import INSTANT_DOC, AsOfQuery, ExpiryDate, ExpiryQuery, Instant, ProductName, SpanQuery, Whole

MAX_POINTS: Final = 101
_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_WINDOW: Final = r"([1-9][0-9]{0,2}[sm]|([1-9]|1[0-9]|2[0-4])h)"
_NUMBER: Final = r"-?[0-9]{1,9}(\.[0-9]{1,9})?"
_DAYS: Final = r"[1-9][0-9]{0,3}"
_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False}


class Patterned(fields.String):
    """A string of one form, which stands in the API's description; `made` turns it into what is used."""

    def __init__(self, pattern: str, made: Callable[[str], Any], reason: str, **options: Any) -> None:
        described = {**options.pop("metadata", {}), "pattern": f"^{pattern}$"}
        super().__init__(metadata=described, **options)
        self._pattern, self._made, self._reason = re.compile(pattern), made, reason

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        text = super()._deserialize(value, attr, data, **options)
        if not self._pattern.fullmatch(text):
            raise ValidationError(self._reason)
        return self._made(text)


class Numbers(Patterned):
    """Numbers with commas between them; becomes a tuple of floats."""

    def __init__(self, number: str = _NUMBER, **options: Any) -> None:
        super().__init__(
            f"{number}(,{number}){{0,{MAX_POINTS - 1}}}",
            lambda text: tuple(float(part) for part in text.split(",")),
            f"Up to {MAX_POINTS} numbers with commas between them.",
            **options,
        )


class Window(Patterned):
    """A length of time like ``15m``; becomes milliseconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            _WINDOW,
            lambda text: int(text[:-1]) * _UNITS_MS[text[-1]],
            "A length like 30s, 15m or 2h, at most 24h.",
            **options,
        )


class Flag(fields.String):
    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={**options.pop("metadata", {}), "enum": [*_FLAGS]}, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        flag = _FLAGS.get(super()._deserialize(value, attr, data, **options))
        if flag is None:
            raise ValidationError("0 or 1.")
        return flag


class Switch(fields.Boolean):
    """true or false of a JSON body, and nothing that only looks like it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Finite(fields.Float):
    """A number that JSON has: no NaN, no infinity, and neither true nor a text in a body."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_nan=False, **options)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


def _interval(usual: str | None) -> fields.String:
    described = {"description": "length of a bar; days and hours are those of the exchange"}
    return fields.String(load_default=usual, validate=OneOf(INTERVALS), metadata=described)


class Query(AsOfQuery):
    explain = Flag(
        load_default=False, metadata={"description": "1: also the inputs, the forward's source and the filters"}
    )


class ChainQuery(Query, ExpiryQuery):
    pass


class ScopeQuery(ChainQuery):
    scope = fields.String(
        load_default="expiry",
        validate=OneOf(["expiry", "next3", "all"]),
        metadata={"description": "one expiry, the next three, or all that are not over"},
    )


class HistoryQuery(SpanQuery):
    """With any of these an answer has a history; `to` is also the instant that the rest is of."""

    interval = _interval(None)


class ScopeHistoryQuery(ScopeQuery, HistoryQuery):
    pass


class ChainHistoryQuery(ChainQuery, HistoryQuery):
    pass


class SurfaceHistoryQuery(Query, HistoryQuery):
    pass


class GexQuery(ScopeQuery):
    sign_model = fields.String(
        load_default="naive",
        validate=OneOf(["naive", "all_short"]),
        metadata={"description": "naive: dealers long calls, short puts; all_short: short both"},
    )


class StrategyQuery(ChainHistoryQuery):
    legs = Patterned(
        LEGS_PATTERN,
        str,
        f"One to {MAX_LEGS} legs like 24500CE,-2x24600PE or 24500CE@2026-12-29.",
        required=True,
        metadata={"description": "24500CE,-2x24600CE,24500PE@2026-12-29: - sells, 2x is a quantity, @ an expiry"},
    )


class WindowQuery(ChainQuery, SpanQuery):
    window = Window(
        load_default=None,
        metadata={
            "description": "changes over this long, such as 15m; without it and `from`, since the previous close"
        },
    )


class BuildupQuery(WindowQuery):
    price_mode = fields.String(
        load_default="premium",
        validate=OneOf(["premium", "delta_adjusted"]),
        metadata={"description": "delta_adjusted: less delta times the underlying's move; needs a window"},
    )


class SurfaceQuery(Query):
    axis = fields.String(
        load_default=None,
        validate=OneOf(["strike", "moneyness", "delta"]),
        metadata={"description": "with it, the answer has a grid along it"},
    )
    points = Numbers(
        load_default=None,
        metadata={"description": "where along the axis: strikes, ln(K/F), or call deltas; usual ones if left out"},
    )


class TermStructureQuery(SurfaceHistoryQuery):
    days = Numbers(
        _DAYS,
        load_default=None,
        metadata={"description": "constant maturities in calendar days; 7,30,60,90 if left out"},
    )


class DaysQuery(Query):
    days = Whole(load_default=252, validate=Range(1, 1_000), metadata={"description": "days of history in the answer"})


class VarianceIndexQuery(SurfaceHistoryQuery, DaysQuery):
    pass


class RealisedQuery(ChainQuery):
    interval = _interval("1d")
    window = Whole(load_default=20, validate=Range(2, 500), metadata={"description": "bars that are measured"})


class BarsQuery(ExpiryQuery, AsOfQuery, SpanQuery):
    interval = _interval("1m")
    metric = fields.String(
        load_default=None,
        validate=OneOf(BAR_METRICS),
        metadata={"description": "of a product spot or any metric of an expiry; of a contract ltp, mid, iv, …"},
    )


class AlertBody(Schema):
    product = ProductName(required=True)
    expiry = ExpiryDate(load_default=None, allow_none=True, metadata={"description": "null: the nearest at any time"})
    metric = fields.String(required=True, validate=OneOf(NUMERIC_METRICS))
    op = fields.String(required=True, validate=OneOf(OPERATORS))
    threshold = Finite(required=True)
    once = Switch(load_default=True)
    note = fields.String(load_default="", validate=Length(max=200))


MOST_PRODUCTS: Final = 20


def _speed(**options: Any) -> Finite:
    described = {"description": "how much faster than the clock the session's own time runs"}
    return Finite(validate=Range(MIN_SPEED, MAX_SPEED), metadata=described, **options)


class ReplayBody(Schema):
    recording = Patterned(
        RECORDING_PATTERN,
        str,
        "Not the name of a recording.",
        load_default=None,
        allow_none=True,
        metadata={"description": "one of /replay/recordings; null: the history of the database, which needs `from`"},
    )
    products = fields.List(
        ProductName(),
        load_default=list,
        validate=Length(max=MOST_PRODUCTS),
        metadata={"description": "all that there are, if empty"},
    )
    from_ = Instant(data_key="from", attribute="from", load_default=None, allow_none=True, metadata=INSTANT_DOC)
    to = Instant(load_default=None, allow_none=True, metadata=INSTANT_DOC)
    speed = _speed(load_default=1.0)
    paused = Switch(load_default=False)


class ReplayChange(Schema):
    """What is left out stays as it is."""

    paused = Switch()
    speed = _speed()
    position = Instant(metadata={"description": "seek: ISO 8601 with offset, or epoch milliseconds"})
