"""What a client may ask a chain or its metrics to look like: some strikes, some fields, rows or columns, CSV.

Everything here works on *documents*, the decoded JSON of a published message, and keeps its order and numbers; where
nothing is asked for, the published bytes themselves are the answer.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from aro.contracts.analytics import ChainMetrics, EnrichedChain, EnrichedQuotes
from aro.contracts.problems import InvalidRequest
from aro.contracts.symbols import OptionType, contract_symbol
from aro.contracts.tables import csv_text

Document = dict[str, Any]
Fields = frozenset[str]

IDENTITY: Final = ("product", "expiry", "source_seq", "source_ts", "source_time", "id")
"""Always part of an answer: which state this is."""
ROW_IDENTITY: Final = ("symbol", "strike", "option_type")
LEG_FIELDS: Final = EnrichedQuotes.__struct_fields__
_LEGS: Final = ("strikes", "calls", "puts")
HEAD_FIELDS: Final = tuple(name for name in EnrichedChain.__struct_fields__ if name not in _LEGS)
METRICS_FIELDS: Final = ChainMetrics.__struct_fields__
_CSV_HEAD: Final = ("spot", "forward")
"""Head fields on every line of a CSV for which no fields were named."""
_SIDES: Final[tuple[tuple[str, OptionType], ...]] = (("calls", "CE"), ("puts", "PE"))

_AROUND: Final = re.compile(r"atm(?:±|\+-| -|:)([0-9]{1,4})")
_NUMBER: Final = r"([0-9]{1,8}(?:\.[0-9]{1,4})?)"
_RANGE: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}")
_FIELD: Final = re.compile(r"[a-z0-9_]{1,40}")

_json = msgspec.json.Decoder()
_to_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class AroundAtm:
    """The at-the-money strike and `count` strikes on either side of it, fewer at the end of a chain."""

    count: int


@dataclass(frozen=True, slots=True)
class StrikeRange:
    """Strikes with low ≤ strike ≤ high."""

    low: float
    high: float


Window = AroundAtm | StrikeRange


@dataclass(frozen=True, slots=True)
class ChainShape:
    """How a chain is to look; the default is "as published". `fields` are of `HEAD_FIELDS` and `LEG_FIELDS`."""

    window: Window | None = None
    fields: Fields | None = None
    rows: bool = False

    @property
    def is_plain(self) -> bool:
        return self == PLAIN

    @property
    def has_legs(self) -> bool:
        """Whether the answer has quotes at all: a selection of nothing but head fields has none."""
        return self.fields is None or not self.fields.isdisjoint(LEG_FIELDS)


PLAIN: Final = ChainShape()


# --- what the query string says ------------------------------------------------------------


def parse_strikes(text: str) -> Window:
    """``atm±5``, ``atm+-5`` and ``atm:5`` are one window; ``24000..25000`` is another, both ends included.

    A plus sign that was not percent-encoded arrives as a space; ``atm:5`` needs no encoding.
    Raises `InvalidRequest` naming ``strikes``.
    """
    around = _AROUND.fullmatch(text)
    if around is not None:
        return AroundAtm(int(around[1]))
    ends = _RANGE.fullmatch(text)
    if ends is None:
        raise _invalid("strikes", "Neither atm±N (atm:N) nor LOW..HIGH, such as atm:5 or 24000..25000.")
    window = StrikeRange(float(ends[1]), float(ends[2]))
    if window.low > window.high:
        raise _invalid("strikes", "The lower strike comes first.")
    return window


def parse_chain_fields(text: str) -> Fields:
    """Comma-separated names of the chain's head and of its quotes' columns; ``flags`` means those of both.

    Raises `InvalidRequest` naming ``fields``.
    """
    return _parse_fields(text, {*HEAD_FIELDS, *LEG_FIELDS})


def parse_metrics_fields(text: str) -> Fields:
    """Comma-separated names of metrics. Raises `InvalidRequest` naming ``fields``."""
    return _parse_fields(text, set(METRICS_FIELDS))


def _parse_fields(text: str, known: set[str]) -> Fields:
    names = text.split(",")
    # What is no word at all is not quoted back.
    if not all(_FIELD.fullmatch(name) for name in names):
        raise _invalid("fields", "Names separated by commas, such as spot,iv,delta.")
    unknown = sorted(set(names) - known)
    if unknown:
        raise _invalid("fields", f"Unknown: {', '.join(unknown[:5])}.")
    return frozenset(names)


def _invalid(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"not valid: {name}", errors={name: [reason]})


# --- chains --------------------------------------------------------------------------------


def as_document(message: msgspec.Struct) -> Document:
    """The document that a decoder of its JSON would make of `message`."""
    document: Document = msgspec.to_builtins(message)
    return document


def render_chain(data: bytes, shape: ChainShape) -> bytes:
    """JSON of a published chain in `shape`: `data` itself when nothing is asked for."""
    return data if shape.is_plain else _to_json.encode(shape_chain(_json.decode(data), shape))


def shape_chain(document: Document, shape: ChainShape) -> Document:
    """A chain's document in `shape`; `document` is left as it is.

    Raises `InvalidRequest` naming ``strikes`` for a window around an at-the-money strike that is not known.
    """
    shaped = {name: value for name, value in document.items() if name not in _LEGS and _is_kept(name, shape.fields)}
    if not shape.has_legs:
        return shaped
    strikes, calls, puts = _window_of(document, shape)
    legs = {"strikes": strikes, "calls": calls, "puts": puts}
    if shape.rows:
        return {**shaped, "rows": _rows(document, legs)}
    # In the place that they have in the published message.
    return {name: legs.get(name, value) for name, value in document.items() if name in legs or name in shaped}


def in_rows(chain: EnrichedChain) -> Document:
    """The chain's head with `rows` in the place of its columns, by strike, call before put."""
    return shape_chain(as_document(chain), ChainShape(rows=True))


def chain_csv_columns(shape: ChainShape) -> list[str]:
    """The header of a chain's CSV; it depends on what was asked for only, so that pages fit together."""
    fields = shape.fields
    head = [name for name in HEAD_FIELDS if name in (_CSV_HEAD if fields is None else fields) and name not in IDENTITY]
    if not shape.has_legs:
        return [*IDENTITY, *head]
    legs = [name for name in LEG_FIELDS if _is_kept(name, fields)]
    # A line has one column "flags": those of the contract.
    return [*IDENTITY, *ROW_IDENTITY, *(name for name in head if name not in legs), *legs]


def chain_csv_rows(document: Document, shape: ChainShape) -> Iterable[Document]:
    """One row per contract, by strike, call before put; or one row in all if no quotes are asked for."""
    if not shape.has_legs:
        return [document]
    strikes, calls, puts = _window_of(document, shape)
    head = {name: value for name, value in document.items() if name not in _LEGS}
    return ({**head, **row} for row in _rows(document, {"strikes": strikes, "calls": calls, "puts": puts}))


def chain_csv(data: bytes, shape: ChainShape) -> bytes:
    """A published chain as CSV: identity, contract, head fields, then the quotes' columns."""
    return csv_text(chain_csv_columns(shape), chain_csv_rows(_json.decode(data), shape))


def _window_of(document: Document, shape: ChainShape) -> tuple[list[float], Document, Document]:
    part = _positions(shape.window, document["strikes"], document["atm_strike"])
    calls, puts = (
        {name: column[part] for name, column in document[side].items() if _is_kept(name, shape.fields)}
        for side, _ in _SIDES
    )
    return document["strikes"][part], calls, puts


def _positions(window: Window | None, strikes: Sequence[float], atm_strike: float | None) -> slice:
    if window is None:
        return slice(None)
    if isinstance(window, StrikeRange):
        inside = [position for position, strike in enumerate(strikes) if window.low <= strike <= window.high]
        return slice(inside[0], inside[-1] + 1) if inside else slice(0)
    if atm_strike not in strikes:
        raise _invalid("strikes", "No strike is at the money while no forward can be computed; ask for LOW..HIGH.")
    middle = strikes.index(atm_strike)
    return slice(max(0, middle - window.count), middle + window.count + 1)


def _rows(document: Document, legs: Document) -> list[Document]:
    return [
        {
            "symbol": contract_symbol(document["product"], document["expiry"], float(strike), option_type),
            "strike": strike,
            "option_type": option_type,
            # A column that did not exist when the chain was stored is empty.
            **{name: column[position] for name, column in legs[side].items() if column},
        }
        for position, strike in enumerate(legs["strikes"])
        for side, option_type in _SIDES
    ]


# --- metrics -------------------------------------------------------------------------------


def render_metrics(data: bytes, fields: Fields | None) -> bytes:
    """JSON of published metrics, with those `fields` and the identity: `data` itself when nothing is asked for."""
    return data if fields is None else _to_json.encode(select(_json.decode(data), fields))


def metrics_csv_columns(fields: Fields | None) -> list[str]:
    return [*IDENTITY, *(name for name in METRICS_FIELDS if name not in IDENTITY and _is_kept(name, fields))]


def metrics_csv(data: bytes, fields: Fields | None) -> bytes:
    """Published metrics as a CSV of one line."""
    return csv_text(metrics_csv_columns(fields), [_json.decode(data)])


def select(document: Document, fields: Fields | None) -> Document:
    """`document` with its identity and `fields` only."""
    return {name: value for name, value in document.items() if _is_kept(name, fields)}


def _is_kept(name: str, fields: Fields | None) -> bool:
    return fields is None or name in fields or name in IDENTITY
