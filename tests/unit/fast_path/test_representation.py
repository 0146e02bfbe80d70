"""Tags, encodings and conditions, as RFC 9110 has them."""

import gzip

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.question import JSON_TYPE, Question
from api_gateway.representation import (
    Variant,
    Version,
    best_encoding,
    best_media,
    etag_of,
    is_current,
    represent,
)
from aro.contracts.tables import CSV_TYPE

VERSION = Version("6b030336d2955", 7, "2026-11-22T10:00:00.000+00:00")
SURFACE = Question("surface", "NIFTY")


@given(data=st.binary(min_size=1_000, max_size=5_000))
def test_every_encoding_carries_the_same_bytes(data: bytes) -> None:
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}
    for encoding, function in unpack.items():
        made = represent(SURFACE, Variant("", JSON_TYPE, encoding), data, VERSION)
        assert function(made.body) == data
        headers = dict(made.headers)
        assert headers["Content-Length"] == str(len(made.body))
        assert headers.get("Content-Encoding", "identity") == encoding


def test_what_is_short_is_not_compressed() -> None:
    made = represent(SURFACE, Variant("", JSON_TYPE, "br"), b"{}", VERSION)
    assert made.body == b"{}"
    assert "Content-Encoding" not in dict(made.headers)


def test_one_tag_per_state_media_and_encoding() -> None:
    versions = (VERSION, Version("another", 7, VERSION.as_of), Version(VERSION.epoch, 8, VERSION.as_of))
    variants = [Variant("", media, code) for media in (JSON_TYPE, CSV_TYPE) for code in ("br", "gzip", "identity")]
    tags = {etag_of(version, variant) for version in versions for variant in variants}
    assert len(tags) == len(versions) * len(variants)
    assert '"6b030336d2955-7"' in tags


@pytest.mark.parametrize("given_tags", ['"a-1"', 'W/"a-1"', '"b-2", "a-1"', ' W/"b-2" ,  W/"a-1"', "*"])
def test_tags_that_name_the_state(given_tags: str) -> None:
    assert is_current(given_tags, '"a-1"')


@pytest.mark.parametrize("given_tags", ["", "a-1", '"a-1', '"a-11"', '"A-1"', '"a-1-gzip"', '*, "b"', '"*"', "W/"])
def test_tags_that_do_not(given_tags: str) -> None:
    assert not is_current(given_tags, '"a-1"')


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON_TYPE),
        ("*/*", JSON_TYPE),
        ("text/*", CSV_TYPE),
        ("text/csv;q=0.5, application/json", JSON_TYPE),
        ("text/csv, application/json;q=0.9", CSV_TYPE),
        ("text/html, */*;q=0.1", JSON_TYPE),
        ("text/html", None),
        ("application/json;q=0", None),
    ],
)
def test_the_media_type_is_the_clients_choice(accept: str, media: str | None) -> None:
    assert best_media(accept, (JSON_TYPE, CSV_TYPE)) == media


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_accept_encoding_is_answered(text: str) -> None:
    assert best_encoding(text) in ("br", "gzip", "identity")
