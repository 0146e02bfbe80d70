"""What passes through, in both directions."""

import string
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.headers import HOP_BY_HOP, PASSED_ON, to_client, to_upstream
from api_gateway.proxy import target

NAMES = st.text(string.ascii_letters + "-", min_size=1, max_size=20)


@given(st.lists(st.tuples(st.sampled_from([*HOP_BY_HOP, "Connection", "X-Kept", "ETag", "Server"]), NAMES)))
def test_nothing_about_the_connection_reaches_the_client(headers: list[tuple[str, str]]) -> None:
    passed = to_client(headers)
    named = {value.lower() for name, value in headers if name.lower() == "connection"}
    assert not {name.lower() for name, _ in passed} & (HOP_BY_HOP | named | {"server", "date", "x-request-id"})
    assert [pair for pair in headers if pair in passed] == passed


def test_repeated_headers_stay_repeated() -> None:
    headers = [("Link", "<a>"), ("Link", "<b>"), ("Connection", "close, X-Internal"), ("X-Internal", "1")]
    assert to_client(headers) == [("Link", "<a>"), ("Link", "<b>")]


def test_a_service_learns_what_the_gateway_says_and_nothing_else() -> None:
    environ = {
        "HTTP_ACCEPT": "text/csv",
        "HTTP_IF_NONE_MATCH": '"abc"',
        "CONTENT_TYPE": "application/json",
        "HTTP_COOKIE": "a=b",
        "HTTP_AUTHORIZATION": "Bearer theirs",
        "HTTP_X_FORWARDED_FOR": "203.0.113.9",
        "HTTP_X_REAL_IP": "203.0.113.9",
        "HTTP_FORWARDED": "for=203.0.113.9",
        "HTTP_CONNECTION": "keep-alive",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "HTTP_X_REQUEST_ID": "theirs",
        "HTTP_HOST": "api.example.com",
        "wsgi.url_scheme": "https",
    }
    sent = to_upstream(environ, authorization="Bearer ours", address="192.0.2.1", request_id="ours")
    assert sent == {
        "Accept": "text/csv",
        "If-None-Match": '"abc"',
        "Content-Type": "application/json",
        "Authorization": "Bearer ours",
        "X-Request-ID": "ours",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "api.example.com",
    }


def test_without_a_token_none_is_sent() -> None:
    assert "Authorization" not in to_upstream({}, authorization="", address="192.0.2.1", request_id="an-id")
    assert not {"Cookie", "Host", "Authorization"} & set(PASSED_ON)


@given(st.binary(max_size=60))
def test_the_upstream_sees_the_path_that_was_routed_by(path: bytes) -> None:
    environ = {"PATH_INFO": "/" + path.decode("latin-1"), "QUERY_STRING": ""}
    sent = target(environ)
    assert unquote_to_bytes(sent) == b"/" + path
    assert "?" not in sent
    assert "#" not in sent
    assert sent.isascii()


@pytest.mark.parametrize("query", ["a=1&b=%2F", "legs=24500CE,-24600CE", "strikes=atm%C2%B15", "cursor=a+b"])
def test_the_query_goes_on_as_it_was_sent(query: str) -> None:
    assert target({"PATH_INFO": "/x", "QUERY_STRING": query}) == f"/x?{query}"
