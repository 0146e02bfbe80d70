"""The loop's reading of a request is gunicorn's own, or none at all."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.http.wsgi import create
from hypothesis import given
from hypothesis import strategies as st

from aro.runtime.inline import parse_head

PEER = ("192.0.2.7", 40_000)
PLAIN = b"GET /api/v1/chains/NIFTY?expiry=2026-12-29 HTTP/1.1\r\nHost: gateway\r\nAccept: */*\r\n\r\n"
LINES = [
    b"Host: gateway",
    b"host:gateway",
    b"Accept: a, b",
    b"Accept: c",
    b"X-Long:  \t spaces around \t",
    b"X-Empty:",
    b"X_Under: score",
    b"X-Under : colon",
    b" X-Fold: a",
    b"\tfolded",
    b"Connection: keep-alive",
    b"Connection: close",
    b"connection: Keep-Alive, close",
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"Authorization: Bearer abc",
    b"X-Bell: \x07",
    b"X-Latin: \xe9",
    b"X-Lone: a\rb",
    b"X-Feed: a\nb",
    b"nothing",
    b": no name",
    b"",
]
STARTS = [
    b"GET /api/v1/chains/NIFTY?strikes=atm:5 HTTP/1.1",
    b"HEAD /%41%e9//x/../y?a=%zz&b=#c HTTP/1.1",
    b"GET http://other/api HTTP/1.1",
    b"GET /a b HTTP/1.1",
    b"GET  /a HTTP/1.1",
    b"GET /a HTTP/1.0",
    b"GET /a HTTP/2.0",
    b"get /a HTTP/1.1",
    b"POST /a HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"GET /\xc3\xa9 HTTP/1.1",
    b"GET //a?? HTTP/1.1",
    b"GET /a\tHTTP/1.1",
    b"\r\nGET /a HTTP/1.1",
]


def gunicorns(data: bytes) -> dict[str, Any] | None:
    """The environ that gunicorn makes of `data`, or None if it refuses it or waits for more."""
    config = Config()
    source = IterUnreader([data])
    try:
        request = Request(config, source, PEER)
    except (ParseException, StopIteration):
        return None
    _, environ = create(request, None, PEER, ("127.0.0.1", 8_000), config)
    assert source.read() == b"", "bytes are left over"
    return environ


def agrees(data: bytes) -> None:
    environ = parse_head(data, PEER)
    if environ is None:
        return
    theirs = gunicorns(data)
    assert theirs is not None
    assert environ.items() <= theirs.items()
    assert {key for key in theirs if key.startswith("HTTP_")} == {key for key in environ if key.startswith("HTTP_")}


def test_a_plain_request_is_read_here() -> None:
    assert parse_head(PLAIN, PEER) is not None
    agrees(PLAIN)


@pytest.mark.parametrize("start", STARTS)
def test_every_kind_of_line_alone_is_read_as_gunicorn_does(start: bytes) -> None:
    for line in LINES:
        agrees(b"\r\n".join([start, b"Host: gateway", line]) + b"\r\n\r\n")


@given(start=st.sampled_from(STARTS), lines=st.lists(st.sampled_from(LINES), max_size=6))
def test_whatever_is_read_here_gunicorn_reads_the_same(start: bytes, lines: list[bytes]) -> None:
    agrees(b"\r\n".join([start, *lines]) + b"\r\n\r\n")


@given(st.data())
def test_a_request_with_any_byte_changed(data: st.DataObject) -> None:
    changed = bytearray(PLAIN)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    agrees(bytes(changed))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"G",
        PLAIN + PLAIN,
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"Host: gateway\r\n", b""),
        PLAIN.replace(b"Accept: */*", b"Host: another"),
        PLAIN.replace(b"Accept: */*", b"Content-Length: 0"),
        PLAIN.replace(b"GET", b"POST"),
        PLAIN.replace(b"1.1", b"1.0"),
    ],
)
def test_what_is_left_to_a_thread(data: bytes) -> None:
    assert parse_head(data, PEER) is None
