"""The bytes that stand for one state: shaped, perhaps compressed, with the headers that say which state it is."""

import functools
import zlib
from dataclasses import dataclass, field
from typing import Final

import brotli
from werkzeug.datastructures import Accept, MIMEAccept
from werkzeug.http import parse_accept_header

from api_gateway.question import Question
from aro.contracts.tables import CSV_TYPE

Headers = list[tuple[str, str]]

BROTLI_QUALITY: Final = 4
"""A chain of 81 strikes: 0.4 ms, to 35 %; quality 5 takes twice as long for no less."""
GZIP_LEVEL: Final = 4
"""0.5 ms, to 39 %; level 6 takes twice as long for 38 %."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
WORTH_COMPRESSING: Final = 1_000
"""Bytes. Less fits into one packet anyway."""
CACHE_CONTROL: Final = "private, no-cache"
"""An answer belongs to whoever may ask, and its state changes several times a second: keep it, but ask every time.
That costs a 304, which needs neither a thread nor a server; a max-age would show a market that has moved on."""
VARY: Final = "Accept, Accept-Encoding"
IDENTITY: Final = "identity"
_CODES: Final = {"br": "-br", "gzip": "-gzip", IDENTITY: ""}
_CONTENT_TYPES: Final = {CSV_TYPE: f"{CSV_TYPE}; charset=utf-8"}
_REMEMBERED: Final = 1_024


@dataclass(frozen=True, slots=True)
class Variant:
    """Which of a state's representations: `look` is the question's, `media` and `encoding` what the client takes."""

    look: str
    media: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Version:
    """Which state: As-Of is its source time."""

    epoch: str
    seq: int
    as_of: str


@dataclass(slots=True)
class Representation:
    """`headers` are those of a 200, `validators` those of a 304. `uses` counts how often it was asked for."""

    question: Question
    variant: Variant
    body: bytes
    etag: str
    headers: Headers
    validators: Headers
    uses: int = field(default=0)


@functools.lru_cache(maxsize=_REMEMBERED)
def best_media(accept: str, offered: tuple[str, ...]) -> str | None:
    """The first of `offered` that ``Accept`` likes best; None if it admits none of them."""
    return parse_accept_header(accept, MIMEAccept).best_match(offered) if accept else offered[0]


@functools.lru_cache(maxsize=_REMEMBERED)
def best_encoding(accept_encoding: str) -> str:
    """``br``, ``gzip`` or ``identity``, which nobody may exclude here: there would be nothing left to say it with."""
    wishes = parse_accept_header(accept_encoding, Accept)
    return wishes.best_match(("br", "gzip", IDENTITY), IDENTITY) if accept_encoding else IDENTITY


def represent(question: Question, variant: Variant, data: bytes, version: Version) -> Representation:
    """Raises `InvalidRequest` if this state cannot be shaped as asked."""
    plain = question.render(data, variant.media)
    body = _compressed(plain, variant.encoding) if len(plain) >= WORTH_COMPRESSING else plain
    etag = etag_of(version, variant)
    validators = [
        ("ETag", etag),
        ("Cache-Control", CACHE_CONTROL),
        ("Vary", VARY),
        ("As-Of", version.as_of),
        ("X-Epoch", version.epoch),
        ("X-Seq", str(version.seq)),
    ]
    content = [
        ("Content-Type", _CONTENT_TYPES.get(variant.media, variant.media)),
        ("Content-Length", str(len(body))),
    ]
    if body is not plain:
        content.append(("Content-Encoding", variant.encoding))
    return Representation(question, variant, body, etag, [*content, *validators], validators)


def etag_of(version: Version, variant: Variant) -> str:
    """Strong: one tag is one sequence of bytes at one address. Its first two parts are ``X-Epoch`` and ``X-Seq``."""
    media = "-csv" if variant.media == CSV_TYPE else ""
    return f'"{version.epoch}-{version.seq}{media}{_CODES[variant.encoding]}"'


def is_current(if_none_match: str, etag: str) -> bool:
    """Whether ``If-None-Match`` names `etag` (RFC 9110 section 13.1.2: weak comparison)."""
    if if_none_match == etag:
        return True
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _compressed(plain: bytes, encoding: str) -> bytes:
    if encoding == "br":
        compressed: bytes = brotli.compress(plain, quality=BROTLI_QUALITY)
        return compressed
    if encoding == "gzip":
        packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        return packer.compress(plain) + packer.flush()
    return plain
