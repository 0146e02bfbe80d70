"""What surfaces said through time, read from those that were published."""

from itertools import pairwise
from typing import Final

import msgspec

from analytics_service.answers import HistoryColumns
from analytics_service.candles import of_points
from analytics_service.market import Market
from analytics_service.series import Spelled, columns
from analytics_service.solved import array
from aro.contracts.analytics import TermPoint
from aro.contracts.problems import InvalidRequest
from aro.contracts.products import product

MOST_STEPS: Final = 240
"""Surfaces that are read for one history."""
INDEX_COLUMNS: Final = ("cboe", "india")


class SurfaceNumbers(msgspec.Struct, frozen=True):
    """The part of a surface that histories are of; the decoder skips its slices and grids."""

    source_ts: int
    spot: float
    iv_30d: float | None
    variance_index: dict[str, float | None]
    term_structure: list[TermPoint]


_numbers = msgspec.json.Decoder(SurfaceNumbers)


class StoredSurfaces:
    def __init__(self, market: Market) -> None:
        self._market = market

    def indices(self, name: str, span: Spelled) -> HistoryColumns:
        """The variance index by method, at the end of each interval."""
        found = self._numbers(name, span)
        return _columns(name, span, found, {method: _of_method(found, method) for method in INDEX_COLUMNS})

    def maturities(self, name: str, span: Spelled) -> HistoryColumns:
        """Volatilities of the published constant maturities, at the end of each interval."""
        found = self._numbers(name, span)
        days = sorted({point.days for item in found for point in item.term_structure})
        return _columns(name, span, found, {f"iv_{day:g}d": _of_maturity(found, day) for day in days})

    def _numbers(self, name: str, span: Spelled) -> list[SurfaceNumbers]:
        if len(span.grid) - 1 > MOST_STEPS:
            reason = f"A history of surfaces has at most {MOST_STEPS} intervals."
            raise InvalidRequest("not valid: from", errors={"from": [reason]})
        found = []
        for start, stop in pairwise(span.grid.tolist()):
            data = self._market.surface_data(name, min(stop - 1, span.end_ms))
            numbers = _numbers.decode(data) if data else None
            if numbers is not None and numbers.source_ts >= start:
                found.append(numbers)
        return found


def _of_method(found: list[SurfaceNumbers], method: str) -> list[float | None]:
    return [item.variance_index.get(method) for item in found]


def _of_maturity(found: list[SurfaceNumbers], day: float) -> list[float | None]:
    return [next((point.iv for point in item.term_structure if point.days == day), None) for item in found]


def _columns(
    name: str, span: Spelled, found: list[SurfaceNumbers], values: dict[str, list[float | None]]
) -> HistoryColumns:
    ts = [item.source_ts for item in found]
    everything: dict[str, list[float | None]] = {"spot": [item.spot for item in found], **values}
    candles = {column: of_points(span.grid, ts, array(entries)) for column, entries in everything.items()}
    return columns(product(name), span, candles)
