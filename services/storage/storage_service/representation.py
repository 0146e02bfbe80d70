"""How states and pages of history go out: as JSON, lines of JSON or CSV, with what caches and the next page need.

A page is read as a whole, still packed, before its first byte is sent: a database that fails is a 503 and never half an
answer. Unpacking, shaping and encoding happen while it is sent.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from flask import Response, request

from aro.adapters.chain_store import Head
from aro.adapters.paging import Page
from aro.contracts.tables import CSV_TYPE, csv_lines, csv_text
from aro.runtime.web import preferred
from storage_service.reader import Stretch

JSON_TYPE: Final = "application/json"
LINES_TYPE: Final = "application/x-ndjson"
CHUNK_BYTES: Final = 64 * 1024

T = TypeVar("T")
Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """How one item becomes JSON or rows of CSV."""

    json: Callable[[T], bytes]
    columns: list[str]
    rows: Callable[[T], Rows]


# --- one state -----------------------------------------------------------------------------


def state_response(item: T, head: Head, form: Form[T], *, as_of: int | None) -> Response:
    """`item` in the form that the caller prefers, or 304. `head` says which state it is."""
    media_type = preferred(JSON_TYPE, CSV_TYPE)
    version = _version(head, media_type)
    if request.if_none_match.contains_weak(version):
        response = Response(status=304)
    elif media_type == CSV_TYPE:
        response = Response(csv_text(form.columns, form.rows(item)), mimetype=CSV_TYPE)
    else:
        response = Response(form.json(item), mimetype=JSON_TYPE)
    response.set_etag(version)
    response.headers["As-Of"] = head.source_time
    response.headers["Vary"] = "Accept"
    # A state that is asked for by its own instant is final; one at any other instant may still be overtaken by a
    # snapshot that is on its way.
    is_final = as_of == head.source_ts
    response.headers["Cache-Control"] = "private, max-age=86400, immutable" if is_final else "private, no-cache"
    return response


def _version(head: Head, media_type: str) -> str:
    asked = sorted((name, value) for name, value in request.args.items(multi=True) if name != "as_of")
    shape = hashlib.sha256(repr((asked, media_type, request.path)).encode()).hexdigest()[:12]
    return f"{head.source_seq}-{shape}"


# --- pages of history ----------------------------------------------------------------------


def page_response(stretch: Stretch, page: Page[T], form: Form[T]) -> Response:
    """A page in the form that the caller prefers. ``Link`` leads to the next one, in JSON `next_cursor` too."""
    media_type = preferred(JSON_TYPE, LINES_TYPE, CSV_TYPE)
    if media_type == CSV_TYPE:
        parts = csv_lines(form.columns, (row for item in page.items for row in form.rows(item)))
    elif media_type == LINES_TYPE:
        parts = (form.json(item) + b"\n" for item in page.items)
    else:
        parts = _json_parts(stretch, page, form)
    response = Response(_in_chunks(parts), mimetype=media_type)
    response.headers["Vary"] = "Accept"
    if page.next_cursor is not None:
        response.headers["Link"] = f'<{_with_cursor(page.next_cursor)}>; rel="next"'
    return response


def _json_parts(stretch: Stretch, page: Page[T], form: Form[T]) -> Iterator[bytes]:
    head = {name: value for name, value in stretch._asdict().items() if value is not None}
    yield msgspec.json.encode(head)[:-1] + b',"items":['
    for position, item in enumerate(page.items):
        yield (b"," if position else b"") + form.json(item)
    yield b'],"next_cursor":' + msgspec.json.encode(page.next_cursor) + b"}"


def _in_chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least `CHUNK_BYTES`: each is a system call and a frame of its own."""
    held = bytearray()
    for part in parts:
        held += part
        if len(held) >= CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _with_cursor(cursor: str) -> str:
    asked = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
    return f"{quote(request.path)}?{urlencode([*asked, ('cursor', cursor)])}"
