"""CSV as RFC 4180 writes it: a header, CRLF, quotes doubled; nothing in it that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

CSV_TYPE: Final = "text/csv"
LIST_SEPARATOR: Final = "|"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_to_json = msgspec.json.Encoder()


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A whole table: the header, then one line per row. What a row does not have is empty."""
    return b"".join(csv_lines(columns, rows))


def csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The same line by line, for answers that are streamed."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")

    def line(cells: Iterable[Any]) -> bytes:
        writer.writerow(cells)
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text.encode()

    yield line(columns)
    for row in rows:
        yield line([_cell(row.get(name)) for name in columns])


def _cell(value: Any) -> Any:
    """Null is empty, a list is joined by ``|``, an object is its JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _harmless(value)
    if isinstance(value, list):
        return _harmless(LIST_SEPARATOR.join(map(str, value)))
    return _to_json.encode(value).decode()


def _harmless(text: str) -> str:
    # Spreadsheets run what begins like this; an apostrophe makes it text (OWASP, CSV injection).
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
