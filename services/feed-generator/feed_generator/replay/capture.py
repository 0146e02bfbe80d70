"""Reads one option-chain answer of NSE, in the form the exchange serves it.

What the exchange writes as 0 where there is nothing (no bid, no ask, no trade) becomes ``None`` with a flag.
Its open interest and volume are in contracts; its bid and ask quantities are in units of the underlying.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from aro.contracts.calendars import expiry_instant
from aro.contracts.market import MAX_STRIKES, ChainSnapshot
from aro.contracts.problems import UnknownProduct
from aro.contracts.products import Product, product
from feed_generator.provider import UNNUMBERED, FeedError
from feed_generator.replay.legs import BadRow, Leg, number, quotes

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Unpacked. The largest answer of the exchange is about 2 MB."""
_TIMESTAMP: Final = "%d-%b-%Y %H:%M:%S"
_DATE_FORMATS: Final = ("%d-%b-%Y", "%d-%m-%Y")
"""The second is that of the exchange's v3 interface."""


class CaptureError(FeedError):
    """A file that cannot be played; the text names it and says what is wrong."""


@dataclass(frozen=True, slots=True)
class Capture:
    """All expiries of one product at one instant, numbered by nobody yet.

    `skipped` counts what was left out, by reason.
    """

    path: Path
    product: str
    ts: int
    spot: float
    chains: tuple[ChainSnapshot, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)


def read_capture(path: Path) -> Capture:
    """Raises `CaptureError` when the file as a whole is unusable; single bad rows are skipped and counted."""
    try:
        records = _records(path)
        rows = _field(records, "data", list)
        item = _product_of(rows)
        zone = ZoneInfo(item.timezone)
        stamp = datetime.strptime(_field(records, "timestamp", str), _TIMESTAMP).replace(tzinfo=zone)
        spot = number(records, "underlyingValue")
        if spot <= 0:
            raise BadRow("records.underlyingValue is not a price")
    except (OSError, EOFError, zlib.error, UnknownProduct, BadRow, ValueError, RecursionError) as error:
        raise CaptureError(f"{path}: {_reason(error)}") from None
    skipped: Counter[str] = Counter()
    by_expiry = _group(rows, item, skipped)
    ts = round(stamp.timestamp() * 1000)
    chains = tuple(
        chain
        for expiry, legs in sorted(by_expiry.items())
        if (chain := _chain(item, expiry, legs, stamp, spot, skipped)) is not None
    )
    if not chains:
        raise CaptureError(f"{path}: no row of it can be used ({dict(skipped)})")
    return Capture(path, item.name, ts, spot, chains, dict(skipped))


def _records(path: Path) -> Mapping[str, Any]:
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        raw: bytes = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise BadRow(f"more than {MAX_FILE_BYTES >> 20} MiB")
    document = json.loads(raw)
    if not isinstance(document, dict):
        raise BadRow("not a JSON object")
    records: Mapping[str, Any] = _field(document, "records", dict)
    return records


def _field(mapping: Mapping[str, Any], name: str, kind: type) -> Any:
    value = mapping.get(name)
    if not isinstance(value, kind):
        raise BadRow(f"{name!r} is missing; this is not an option-chain answer of NSE")
    return value


def _product_of(rows: list[Any]) -> Product:
    """The product of the first leg that names one; legs of another one are bad rows later."""
    for row in rows:
        for side in ("CE", "PE"):
            leg = row.get(side) if isinstance(row, dict) else None
            if isinstance(leg, dict) and isinstance(leg.get("underlying"), str):
                return product(leg["underlying"])
    raise BadRow("no row names its underlying")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error})"
    if isinstance(error, UnicodeDecodeError):
        return "not JSON (not text)"
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return f"not a readable gzip file ({error})"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return error.detail if isinstance(error, UnknownProduct) else str(error)


def _group(rows: list[Any], item: Product, skipped: Counter[str]) -> dict[date, dict[float, tuple[Leg, Leg]]]:
    """Expiry → strike → (call, put)."""
    result: dict[date, dict[float, tuple[Leg, Leg]]] = {}
    for row in rows:
        try:
            expiry, strike, call, put = _row(row, item)
        except BadRow as error:
            skipped[str(error)] += 1
            continue
        if strike in result.setdefault(expiry, {}):
            skipped["strike listed twice"] += 1
        else:
            result[expiry][strike] = (call, put)
    return result


def _row(row: Any, item: Product) -> tuple[date, float, Leg, Leg]:
    if not isinstance(row, dict):
        raise BadRow("row is no object")
    strike = number(row, "strikePrice")
    if strike <= 0:
        raise BadRow("strikePrice is not positive")
    expiry = _expiry(row.get("expiryDate", row.get("expiryDates")))
    call, put = Leg.read(row.get("CE"), item.name), Leg.read(row.get("PE"), item.name)
    return expiry, strike, call, put


def _expiry(text: Any) -> date:
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a calendar label has no zone
        except (TypeError, ValueError):
            continue
    raise BadRow("expiryDate is no date")


def _chain(
    item: Product,
    expiry: date,
    legs: Mapping[float, tuple[Leg, Leg]],
    stamp: datetime,
    spot: float,
    skipped: Counter[str],
) -> ChainSnapshot | None:
    expiry_ts = round(expiry_instant(item, expiry).timestamp() * 1000)
    ts = round(stamp.timestamp() * 1000)
    if not legs or expiry_ts <= ts or len(legs) > MAX_STRIKES:
        skipped["expired" if expiry_ts <= ts else "too many strikes"] += len(legs)
        return None
    strikes = sorted(legs)
    # The lot of the capture's day: long-dated contracts were revised only later.
    terms = item.terms(stamp.date())
    return ChainSnapshot(
        product=item.name,
        expiry=expiry.isoformat(),
        expiry_ts=expiry_ts,
        source_seq=UNNUMBERED,
        source_ts=ts,
        origin="replay",
        spot=spot,
        rate=item.rate,
        dividend_yield=item.dividend_yield,
        contract_size=terms.contract_size,
        tick_size=terms.tick_size,
        strikes=strikes,
        calls=quotes([legs[strike][0] for strike in strikes], terms.contract_size),
        puts=quotes([legs[strike][1] for strike in strikes], terms.contract_size),
    )
